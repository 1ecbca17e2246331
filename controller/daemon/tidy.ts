/** What a controller that died between the end of a run and its clean-up has left on this machine: secrets, the reserve, a manifest that is not final. */

import { existsSync, rmSync } from "node:fs";
import type { RunState } from "../../cluster/run/state.ts";
import { runDir } from "../paths.ts";
import { reserveOf } from "./journal.ts";
import { writeManifest } from "./manifest.ts";
import { forgetSecrets } from "./secrets.ts";

/** For a run that is over and that nobody drives. The reserve goes last: its presence says that the journal was not closed. */
export function tidyUp(run: string, state: RunState): void {
  const reserve = reserveOf(runDir(run));
  if (!existsSync(reserve)) return;
  forgetSecrets(run);
  writeManifest(runDir(run), state);
  rmSync(reserve, { force: true });
}
