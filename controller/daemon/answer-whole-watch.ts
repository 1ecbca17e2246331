/** Answers a `watch` that must miss nothing, into a file or a pipe: the controller waits for the reader, not the reader's terminal for a summary. */

import { join } from "node:path";
import type { Item, LogQuery, Request } from "../../cluster/viewer.ts";
import { runDir } from "../paths.ts";
import type { Asked } from "./asked.ts";
import { followRun } from "./follow-run.ts";
import { openLogView } from "./log-query.ts";
import type { LiveRun, Runs } from "./runs.ts";

/** Notices that wait for a slow reader; older ones go: each is only the latest word on something. */
const NOTICES_MAX = 1000;

export async function answerWholeWatch(runs: Runs, request: Request & { ask: "watch" }, run: LiveRun, from: number, asked: Asked): Promise<null> {
  let next = from;
  const notices: Item[] = [...run.doing].map(([host, text]) => ({ kind: "notice", host, text }));
  const beside = (): Item | undefined => {
    const line = run.lines[next];
    if (line === undefined) return notices.shift();
    next += 1;
    return { kind: "event", index: line.i, event: line.event };
  };
  const want: LogQuery = {
    ...{ hosts: null, ranks: null, streams: ["out", "err", "launcher"], attempt: null, since: null },
    last: request.last ?? 0,
    follow: true,
  };
  const view = () => openLogView(join(runDir(request.run), "logs"), want, runs.find(request.run).state.attempt, true);
  await followRun(run, view, asked, {
    next: beside,
    notice: (host, text) => {
      notices.push({ kind: "notice", host, text });
      if (notices.length > NOTICES_MAX) notices.shift();
    },
  });
  return null;
}
