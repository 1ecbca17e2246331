/** Answers `logs`: from the disk, also what is new, so that a slow reader lags behind, loses nothing and costs no memory. */

import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { LogLine, Request } from "../../cluster/viewer.ts";
import { runDir } from "../paths.ts";
import { endOfUndriven, watchUntilDone } from "./answer-watch.ts";
import { type Asked, tellAndWait } from "./asked.ts";
import { openLogView, type StreamKey } from "./log-query.ts";
import type { Runs } from "./runs.ts";

/** Between two looks at streams that grow: lines that come in between are read together. */
const GATHER_MS = 50;

export async function answerLogs(runs: Runs, request: Request & { ask: "logs" }, asked: Asked): Promise<null> {
  const { state } = runs.find(request.run);
  const { want } = request;
  const run = want.follow ? runs.live.get(request.run) : undefined;
  const changed = new Map<string, StreamKey>();
  let isDone = false;
  let wake = (): void => undefined;

  // Watcher and view begin in one tick: a line is in the view's sizes, or it wakes us.
  const gone =
    run === undefined
      ? null
      : watchUntilDone(run.watchers, asked.cancelled, {
          line: () => undefined,
          notice: () => undefined,
          log: (line) => {
            for (const stream of streamsOf(line)) changed.set(`${line.host}\n${stream}`, { host: line.host, stream });
            wake();
          },
        }).then(() => {
          isDone = true;
          wake();
        });
  const isOpenEnded = run !== undefined || (want.wholeLines === true && runs.live.has(request.run));
  const view = openLogView(join(runDir(request.run), "logs"), want, state.attempt, isOpenEnded);

  const pour = async (lines: AsyncGenerator<LogLine>): Promise<boolean> => {
    for await (const line of lines) if (!(await tellAndWait(asked, { kind: "line", line }))) return false;
    return !asked.cancelled.aborted;
  };

  if (!(await pour(view.backlog()))) return null;
  if (gone === null) return want.follow ? endOfUndriven(runs, request.run) : null;
  if (!(await tellAndWait(asked, { kind: "caught-up" }))) return null;
  while (!isDone) {
    if (changed.size === 0) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      continue;
    }
    const keys = [...changed.values()];
    changed.clear();
    const since = performance.now();
    if (!(await pour(view.more(keys)))) return null;
    await pause(Math.max(GATHER_MS, performance.now() - since)); // never more than half of the time
  }
  await pour(view.rest());
  return null;
}

/** A launcher's line does not say which of its two it came from. */
const streamsOf = ({ attempt, rank, stream }: LogLine): readonly string[] =>
  rank === null ? [`a${attempt}/launcher.out`, `a${attempt}/launcher.err`] : [`a${attempt}/rank${rank}.${stream}`];
