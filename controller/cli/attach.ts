/** `attach`: the same view of a run from another terminal. */

import { fail, NexaError } from "../../cluster/errors.ts";
import { isOver } from "../../cluster/run/state.ts";
import { begunWords, phaseOf } from "../../cluster/view/begun.ts";
import { whyLines } from "../../cluster/view/host-why.ts";
import { ledElsewhere } from "../../cluster/view/leader.ts";
import { standingLines } from "../../cluster/view/standing.ts";
import { exitOf, summaryLines } from "../../cluster/view/summary.ts";
import type { RunSummary } from "../../cluster/viewer.ts";
import type { Client } from "./client.ts";
import type { Options, Run } from "./commands.ts";
import type { Context } from "./context.ts";
import { findController } from "./find-controller.ts";
import { fileHere, findRun, readRun } from "./known-run.ts";
import { lastWords } from "./last-words.ts";
import { type OpenedRun, whereLed } from "./open-run.ts";
import { showRun } from "./show-run.ts";
import { takeRun, watchTaken } from "./takeover.ts";

/** Lines of before that give the newcomer a picture. */
const BEFORE = 20;

export const attach: Run = async (context, [wanted], options) => {
  const client = await findController(context, options);
  const known = await findHere(context, client, wanted);
  if (known !== null) return show(context, options, await whereLed(context, options, client, known));
  context.say("no such run is known on this machine; asking the hosts of the file");
  const taken = await takeRun(context, client, typeof wanted === "string" ? wanted : null, options);
  return watchTaken(context, client, taken, false, options);
};

/** null: the hosts of the file that was named may know it. Errors: NO_RUN, USAGE. */
async function findHere(context: Context, client: Client, wanted: unknown): Promise<RunSummary | null> {
  try {
    return await findRun(client, context, wanted);
  } catch (error) {
    if (!(error instanceof NexaError) || error.code !== "NO_RUN") throw error;
    if (context.cluster !== undefined) return null;
    const run = typeof wanted === "string" ? wanted : undefined;
    throw fail("NO_RUN", { run: run ?? "yet", file: fileHere(context) ?? "FILE" });
  }
}

async function show(context: Context, options: Options, { client, run, find, ended }: OpenedRun): Promise<number> {
  const known = await readRun(client, run);
  const { state } = known;
  if (isOver(state) && options.ui !== "tui") {
    if (context.json) context.printJson({ kind: "end", run, phase: state.phase, isLeft: false, exit: exitOf(state), failure: state.failure });
    else for (const line of summaryLines(state, await lastWords(client, state))) context.print(line);
    return exitOf(state);
  }
  if (state.fenced !== null) throw ledElsewhere(state.spec, state.fenced);
  context.say(`==> ${run} is ${phaseOf(state)} (${begunWords(state)}); leaving it does not end it`);
  for (const line of [...standingLines(state, Date.now()), ...whyLines(state, Date.now())]) context.say(`==> ${line}`);
  return showRun(context, client, run, options, { known, last: BEFORE, stopsOnSignal: false, find, ...(ended === undefined ? {} : { ended }) });
}
