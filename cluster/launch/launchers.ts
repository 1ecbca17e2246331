/** The launchers by name. */

import type { Launcher } from "../spec.ts";
import { planAccelerate } from "./accelerate.ts";
import { planCommand } from "./command.ts";
import { planDirect } from "./direct.ts";
import { planTorchrun } from "./torchrun.ts";
import { planTorchrunStatic } from "./torchrun-static.ts";
import type { LauncherPlanner } from "./types.ts";

export const LAUNCHERS: Readonly<Record<Launcher, LauncherPlanner>> = {
  torchrun: planTorchrun,
  "torchrun-static": planTorchrunStatic,
  accelerate: planAccelerate,
  direct: planDirect,
  command: planCommand,
};
