/** `restart`: ends the present attempt of a run and waits until another one runs. */

import { EXIT, fail } from "../../cluster/errors.ts";
import { judgeAct } from "../../cluster/run/act.ts";
import { reduce } from "../../cluster/run/reduce.ts";
import { isOver, type RunState } from "../../cluster/run/state.ts";
import { sanitiseWord } from "../../cluster/sanitise.ts";
import { actWords } from "../../cluster/view/act-line.ts";
import { describeEvent } from "../../cluster/view/event-line.ts";
import { exitOf, summaryLines } from "../../cluster/view/summary.ts";
import { askKey } from "./ask.ts";
import type { Run } from "./commands.ts";
import type { Context } from "./context.ts";
import { findController } from "./find-controller.ts";
import { findLiveRun, readRun } from "./known-run.ts";
import { whereLed } from "./open-run.ts";
import { whoAsks } from "./watch-run.ts";

/** Exit 0 when another attempt runs; that of the run when it ends before. */
export const restart: Run = async (context, [wanted], options) => {
  const here = await findController(context, options);
  const { client, run } = await whereLed(context, options, here, await findLiveRun(here, context, wanted, "restart"));
  const known = await readRun(client, run);
  let { state } = known;
  const { attempt } = state;
  const act = { do: "restart", attempt } as const;
  const judged = judgeAct(state, act);
  if (!judged.ok) throw fail("ACT_REFUSED", { run, what: actWords(act), why: judged.why, fix: judged.fix });
  context.say(sanitiseWord(`${run}: ${judged.text}`));
  if (!(await mayRestart(context))) return EXIT.stopped;
  await client.ask({ ask: "act", run, act, by: whoAsks() });
  const isBack = (now: RunState): boolean => isOver(now) || (now.attempt > attempt && now.phase === "running");
  if (options.detach !== true) {
    for await (const item of client.stream({ ask: "watch", run, from: known.events, logs: false })) {
      if (item.kind !== "event") continue;
      const before = state;
      state = reduce(state, item.event);
      for (const line of describeEvent(before, state, item.event)) context.say(line);
      if (isBack(state)) break;
    }
  }
  if (context.json) context.printJson({ run, phase: state.phase, attempt: state.attempt, members: state.members });
  else for (const line of isOver(state) ? summaryLines(state) : [`${run} is ${state.phase} (attempt ${state.attempt})`]) context.print(line);
  return options.detach === true ? EXIT.ok : exitOf(state, isBack(state));
};

/** Who types it where nobody can be asked has decided. */
async function mayRestart(context: Context): Promise<boolean> {
  if (context.yes || !context.isInteractive) return true;
  return (await askKey(process.stdin, (text) => void process.stderr.write(text), "restart? [y/N] ")) === "y";
}
