/** What a program is told when there is a checkpoint to go on from. */

import { CHECKPOINT } from "../config/recovery.ts";
import { type ArgvPart, option } from "./argv.ts";
import { onHost } from "./environment.ts";
import type { LaunchContext } from "./types.ts";

/** Where the checkpoint is on this host; null: there is none. */
export function checkpointPath({ input, at }: LaunchContext): string | null {
  const path = input.checkpoint?.path;
  return path === undefined ? null : onHost(path, at);
}

/** `job.resume_args` of the file, after the job's own arguments. */
export function resumeArgs(c: LaunchContext): ArgvPart[] {
  const path = checkpointPath(c);
  const { resumeArgs: words } = c.input.spec;
  return path === null || words.length === 0
    ? []
    : [option("resume_args of the file: there is a checkpoint", ...words.map((word) => word.replaceAll(CHECKPOINT, path)))];
}
