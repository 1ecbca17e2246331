/** `status`: one run as it stands. */

import { statfsSync } from "node:fs";
import { isOver, type RunState } from "../../cluster/run/state.ts";
import { statusLines } from "../../cluster/view/status.ts";
import type { Run } from "./commands.ts";
import { readRun } from "./known-run.ts";
import { lookAtRun } from "./open-run.ts";
import { type Drawn, watchTable } from "./watch-table.ts";

export const status: Run = async (context, [wanted], options) => {
  const { client, run } = await lookAtRun(context, options, wanted);
  const draw = async (): Promise<Drawn> => {
    const { state, dir, wroteAt, pace, notes } = await readRun(client, run);
    const isLast = options.watch !== true || isOver(state) || state.fenced !== null;
    if (context.json) {
      context.printJson({ run, dir, state, wroteAt, pace, notes });
      return { lines: [], isLast };
    }
    return { lines: [...statusLines(state, Date.now(), { wroteAt, pace, notes }), "", `journal, plan and logs: ${dir}`, ...fullDisk(state, dir)], isLast };
  };
  await watchTable(context, draw, { wraps: true });
  return 0;
};

/** Less than any piece of a log that comes. */
const FULL_BYTES = 256 * 1024;

/** The controller is on this machine, and so is what it keeps. */
function fullDisk(state: RunState, dir: string): readonly string[] {
  if (isOver(state)) return [];
  try {
    const { bavail, bsize } = statfsSync(dir);
    if (bavail * bsize >= FULL_BYTES) return [];
    return [`the disk of this machine is full at ${dir}: log lines are kept on the hosts and fetched when there is room; training goes on`];
  } catch {
    return []; // it is asked for a hint alone
  }
}
