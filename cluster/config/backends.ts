/** Which launcher each backend may use; the first is its default. */

import type { Launcher } from "../spec.ts";

export const BACKENDS = ["torch.distributed", "accelerate", "direct", "command"] as const;
export const LAUNCHERS = ["torchrun", "torchrun-static", "accelerate", "direct", "command"] as const satisfies readonly Launcher[];
export type Backend = (typeof BACKENDS)[number];

export const LEGAL: Readonly<Record<Backend, readonly [Launcher, ...Launcher[]]>> = {
  "torch.distributed": ["torchrun", "torchrun-static", "direct"],
  accelerate: ["accelerate"],
  direct: ["direct"],
  command: ["command"],
};

export const MEANING: Readonly<Record<Launcher, string>> = {
  torchrun: "python -m torch.distributed.run on each host, one shared c10d rendezvous",
  "torchrun-static": "the same with node ranks and MASTER_ADDR given (--node-rank, --master-addr)",
  accelerate: "accelerate launch on each host, a Hugging Face configuration honoured",
  direct: "ranks started by nexadist itself with torch's environment (RANK, WORLD_SIZE, MASTER_ADDR, …)",
  command: "any command, once per host or once per GPU",
};

/** Null: the file asks for two things that do not go together. */
export function foldLauncher(backend: Backend | undefined, launcher: Launcher | undefined): Launcher | null {
  if (launcher === undefined) return LEGAL[backend ?? "torch.distributed"][0];
  return backend === undefined || LEGAL[backend].includes(launcher) ? launcher : null;
}
