/** `attach`: the same view of a run from another terminal. */

import { isOver } from "../../cluster/run/state.ts";
import { exitOf, summaryLines } from "../../cluster/view/summary.ts";
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
  context.say(`==> ${run} is ${state.phase} (attempt ${state.attempt}, ${state.world} rank${state.world === 1 ? "" : "s"}); Ctrl-C leaves it running`);
  return watchRun(context, client, run, { known, last: BEFORE, stopsOnSignal: false });
};
