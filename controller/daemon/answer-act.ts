/** Does to a live run what a person asks for. Whether it can be done is judged before it is journaled, and the fold judges it again. */

import { fail } from "../../cluster/errors.ts";
import { type Act, judgeAct } from "../../cluster/run/act.ts";
import { actWords } from "../../cluster/view/act-line.ts";
import type { ActDone } from "../../cluster/viewer.ts";
import type { Runs } from "./runs.ts";
import { mustLead } from "./takeover.ts";

/** Errors: NO_RUN, LED_ELSEWHERE, ACT_REFUSED. */
export function answerAct(runs: Runs, { run, act, by }: { readonly run: string; readonly act: Act; readonly by: string }): ActDone {
  const { state } = runs.find(run);
  mustLead(state);
  const judged = judgeAct(state, act);
  if (!judged.ok) throw fail("ACT_REFUSED", { run, what: actWords(act), why: judged.why, fix: judged.fix });
  const whole: Act = act.do === "restart" ? { do: "restart", attempt: act.attempt ?? state.attempt } : act;
  if (judged.isNew) runs.get(run).driver.apply({ at: Date.now(), type: "acted", act: whole, by });
  return { text: judged.text, isNew: judged.isNew };
}
