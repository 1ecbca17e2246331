/** Answers `watch`: the journal of a run from an index on, then events, log lines and notices as they come. */

import { join } from "node:path";
import { fail } from "../../cluster/errors.ts";
import { isOver } from "../../cluster/run/state.ts";
import type { Item, LogLine, LogQuery, Request } from "../../cluster/viewer.ts";
import { daemonLog, runDir } from "../paths.ts";
import { answerWholeWatch } from "./answer-whole-watch.ts";
import { type Asked, isSlow, tell, tellAndWait } from "./asked.ts";
import { openLogView } from "./log-query.ts";
import type { Runs } from "./runs.ts";
import { watchUntilDone } from "./watch-until-done.ts";

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
  if (request.whole === true && request.logs) return answerWholeWatch(runs, request, run, next, asked);
  for (const [host, text] of run.doing) tell(asked, { kind: "notice", host, text });
  const { send, release } = lineSender(asked);
  // Watcher and view begin in one tick: a line is among the stored ones, or it comes by.
  const done = watchUntilDone(run.watchers, asked.cancelled, {
    line: (line) => send({ kind: "event", index: line.i, event: line.event }),
    log: request.logs ? (line) => send({ kind: "line", line }) : null,
    notice: (host, text) => send({ kind: "notice", host, text }),
  });
  const stored = request.logs && request.last !== undefined ? lastLines(runs, request.run, request.last) : null;
  if (stored !== null) for await (const line of stored) if (!(await tellAndWait(asked, { kind: "line", line }))) return null;
  release();
  await done;
  send(null);
  return null;
}

/** Whole lines only: what has no end yet comes by when it has. */
function lastLines(runs: Runs, run: string, last: number): AsyncGenerator<LogLine> {
  const want: LogQuery = { hosts: null, ranks: null, streams: ["out", "err", "launcher"], attempt: null, since: null, last, follow: false, wholeLines: true };
  return openLogView(join(runDir(run), "logs"), want, runs.find(run).state.attempt, true).backlog();
}

/** Nothing more comes of a run that no driver has. Errors: RUN_NOT_DRIVEN when it is not over. */
export function endOfUndriven(runs: Runs, run: string): null {
  const { state } = runs.find(run);
  if (!isOver(state) && state.fenced === null) throw fail("RUN_NOT_DRIVEN", { run, phase: state.phase, pid: process.pid, log: daemonLog() });
  return null;
}

/** New lines that wait for the stored ones before them. */
const HELD_MAX = 1000;

/**
 * Holds what comes until `release`. Log lines are left out while the viewer is slow, and counted: a live view shows the present.
 * `send(null)`: nothing more comes.
 */
function lineSender(asked: Asked): { readonly send: (item: Item | null) => void; readonly release: () => void } {
  let skipped = 0;
  let held: Item[] | null = [];
  const send = (item: Item | null): void => {
    if (item?.kind === "line" && (isSlow(asked) || (held !== null && held.length >= HELD_MAX))) {
      skipped += 1;
      return;
    }
    if (held !== null) {
      if (item !== null) held.push(item);
      return;
    }
    if (skipped > 0) {
      const text = `${skipped} log lines left out here, this terminal is too slow for them; nexadist logs has them all`;
      skipped = 0;
      tell(asked, { kind: "notice", host: null, text });
    }
    if (item !== null) tell(asked, item);
  };
  const release = (): void => {
    for (const item of held ?? []) tell(asked, item);
    held = null;
  };
  return { send, release };
}
