/** Answers `watch`: the journal of a run from an index on, then events, log lines and notices as they come. */

import { fail } from "../../cluster/errors.ts";
import { isOver } from "../../cluster/run/state.ts";
import type { Item, Request } from "../../cluster/viewer.ts";
import { daemonLog } from "../paths.ts";
import { type Asked, isSlow, tell, tellAndWait } from "./asked.ts";
import type { Runs, Watcher } from "./runs.ts";

export async function answerWatch(runs: Runs, request: Request & { ask: "watch" }, asked: Asked): Promise<null> {
  const { lines } = runs.find(request.run);
  let next = request.from;
  // A live run's lines grow meanwhile; once none is left the watcher is registered in the same tick.
  for (let line = lines[next]; line !== undefined; line = lines[next]) {
    next += 1;
    if (!(await tellAndWait(asked, { kind: "event", index: line.i, event: line.event }))) return null;
  }
  const run = runs.live.get(request.run);
  if (run === undefined) return endOfUndriven(runs, request.run);
  for (const [host, text] of run.doing) tell(asked, { kind: "notice", host, text });
  const send = lineSender(asked);
  await watchUntilDone(run.watchers, asked.cancelled, {
    line: (line) => send({ kind: "event", index: line.i, event: line.event }),
    log: request.logs ? (line) => send({ kind: "line", line }) : null,
    notice: (host, text) => send({ kind: "notice", host, text }),
  });
  send(null);
  return null;
}

/** Nothing more comes of a run that no driver has. Errors: RUN_NOT_DRIVEN when it is not over. */
export function endOfUndriven(runs: Runs, run: string): null {
  const { state } = runs.find(run);
  if (!isOver(state)) throw fail("RUN_NOT_DRIVEN", { run, phase: state.phase, pid: process.pid, log: daemonLog() });
  return null;
}

/** Registers at once; resolves when it is cancelled or the run is done. */
export function watchUntilDone(watchers: Set<Watcher>, cancelled: AbortSignal, watcher: Omit<Watcher, "done">): Promise<void> {
  return new Promise((resolve) => {
    const leave = (): void => {
      watchers.delete(full);
      cancelled.removeEventListener("abort", leave);
      resolve();
    };
    const full: Watcher = { ...watcher, done: leave };
    if (cancelled.aborted) return resolve();
    watchers.add(full);
    cancelled.addEventListener("abort", leave);
  });
}

/** Log lines are left out while the viewer is slow, and counted: a live view shows the present. null: nothing more comes. */
function lineSender(asked: Asked): (item: Item | null) => void {
  let skipped = 0;
  return (item) => {
    if (item?.kind === "line" && isSlow(asked)) {
      skipped += 1;
      return;
    }
    if (skipped > 0) {
      const text = `${skipped} log lines left out here, this terminal is too slow for them; nexadist logs has them all`;
      skipped = 0;
      tell(asked, { kind: "notice", host: null, text });
    }
    if (item !== null) tell(asked, item);
  };
}
