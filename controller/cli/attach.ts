/** `attach`: the same view of a run from another terminal. */

import { isOver } from "../../cluster/run/state.ts";
import { formatLogLine } from "../../cluster/view/log-line.ts";
import { exitOf, summaryLines } from "../../cluster/view/summary.ts";
import { clock } from "./clock.ts";
import type { Run } from "./commands.ts";
import { findOrStartDaemon } from "./daemon-start.ts";
import { findRun, readRun } from "./known-run.ts";
import { lastWords } from "./last-words.ts";
import { watchRun } from "./watch-run.ts";

/** Lines of before that give the newcomer a picture. */
const BEFORE = 20;

export const attach: Run = async (context, [wanted]) => {
  const client = await findOrStartDaemon();
  const { run } = await findRun(client, context, wanted);
  const known = await readRun(client, run);
  const { state } = known;
  if (isOver(state)) {
    if (context.json) context.printJson({ kind: "end", run, phase: state.phase, isLeft: false, exit: exitOf(state), failure: state.failure });
    else for (const line of summaryLines(state, await lastWords(client, state))) context.print(line);
    return exitOf(state);
  }
  context.say(`==> ${run} is ${state.phase} (attempt ${state.attempt}, ${state.world} ranks); Ctrl-C leaves it running`);
  const want = {
    hosts: null,
    ranks: null,
    streams: ["out", "err", "launcher"] as const,
    attempt: null,
    since: null,
    last: BEFORE,
    follow: false,
    wholeLines: true as const,
  };
  for await (const item of client.stream({ ask: "logs", run, want })) {
    if (item.kind !== "line") continue;
    if (context.json) context.printJson({ ...item });
    else context.print(formatLogLine(item.line, clock, context.hasColour));
  }
  return watchRun(context, client, run, { known, stopsOnSignal: false });
};
