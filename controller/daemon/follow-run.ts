/** Follows a live run from the disk, also what is new: a slow reader lags behind, loses nothing and costs no memory. */

import { setTimeout as pause } from "node:timers/promises";
import type { Item, LogLine } from "../../cluster/viewer.ts";
import { type Asked, tellAndWait } from "./asked.ts";
import type { LogView, StreamKey } from "./log-query.ts";
import type { LiveRun, Watcher } from "./runs.ts";
import { watchUntilDone } from "./watch-until-done.ts";

/** Between two looks at streams that grow: lines that come in between are read together. */
const GATHER_MS = 50;

/** What is told between the lines, as soon as there is any. */
export type Beside = { readonly next: () => Item | undefined; readonly notice: Watcher["notice"] };

/** `opened` is called at once. false: the viewer wants no more. */
export async function followRun(run: LiveRun, opened: () => LogView, asked: Asked, beside: Beside): Promise<boolean> {
  const changed = new Map<string, StreamKey>();
  let isDone = false;
  let hasNews = true;
  let wake = (): void => undefined;
  const note = (): void => {
    hasNews = true;
    wake();
  };
  // Watcher and view begin in one tick: a line is in the view's sizes, or it wakes us.
  void watchUntilDone(run.watchers, asked.cancelled, {
    line: note,
    notice: (host, text) => {
      beside.notice(host, text);
      note();
    },
    log: (line) => {
      for (const stream of streamsOf(line)) changed.set(`${line.host}\n${stream}`, { host: line.host, stream });
      note();
    },
  }).then(() => {
    isDone = true;
    note();
  });
  const view = opened();

  const tellBeside = async (): Promise<boolean> => {
    for (let item = beside.next(); item !== undefined; item = beside.next()) if (!(await tellAndWait(asked, item))) return false;
    return true;
  };
  const pour = async (lines: AsyncGenerator<LogLine>): Promise<boolean> => {
    for await (const line of lines) if (!(await tellBeside()) || !(await tellAndWait(asked, { kind: "line", line }))) return false;
    return (await tellBeside()) && !asked.cancelled.aborted;
  };

  if (!(await pour(view.backlog())) || !(await tellAndWait(asked, { kind: "caught-up" }))) return false;
  while (!isDone) {
    if (!hasNews) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    hasNews = false;
    const keys = [...changed.values()];
    changed.clear();
    const since = performance.now();
    if (!(await pour(view.more(keys)))) return false;
    if (keys.length > 0) await pause(Math.max(GATHER_MS, performance.now() - since)); // never more than half of the time
  }
  return pour(view.rest());
}

/** A launcher's line does not say which of its two it came from. */
const streamsOf = ({ attempt, rank, stream }: LogLine): readonly string[] =>
  rank === null ? [`a${attempt}/launcher.out`, `a${attempt}/launcher.err`] : [`a${attempt}/rank${rank}.${stream}`];
