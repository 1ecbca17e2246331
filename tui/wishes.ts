/** What a person may do to a run, as questions that say what will happen. Screens and the shell use the same ones. */

import { type Act, judgeAct } from "../cluster/run/act.ts";
import { isOver } from "../cluster/run/state.ts";
import { graceOf } from "../cluster/run/wanted.ts";
import { formatDuration } from "../cluster/view/duration.ts";
import { line } from "./line.ts";
import type { RunModel } from "./model.ts";
import type { Wish } from "./screen.ts";

const tell = (text: string, isBad = false): Wish => ({ do: "say", text, isBad });

/** Filled in by the shell, which knows who sits there. */
const by = "";

export function stopWish({ id, state }: RunModel): Wish {
  if (isOver(state)) return tell(`${id} is over already`);
  return {
    do: "confirm",
    title: `stop ${id}?`,
    lines: [line(`Its ranks are told to end, have ${formatDuration(graceOf(state))} to save, and are ended then. No other attempt follows.`)],
    word: null,
    next: () => ({
      do: "ask",
      ask: { ask: "stop", run: id, graceMs: null, by, why: "stopped from the screen" },
      doing: `stopping ${id}`,
      done: "it is being stopped",
    }),
  };
}

export function killWish({ id, state }: RunModel): Wish {
  if (isOver(state)) return tell(`${id} is over already`);
  return {
    do: "confirm",
    title: `end ${id} at once?`,
    lines: [line("Its ranks are killed on every host; what they have not saved is lost. No other attempt follows.")],
    word: id,
    next: () => ({
      do: "ask",
      ask: { ask: "stop", run: id, graceMs: 0, by, why: "killed from the screen" },
      doing: `killing ${id}`,
      done: "it is being ended",
    }),
  };
}

/** What it would do now, by the controller's own judgement; asked of it only after a yes. */
export function actWish({ id, state }: RunModel, act: Act, title: string): Wish {
  const judged = judgeAct(state, act);
  if (!judged.ok) return tell(`${judged.why}; ${judged.fix}`, true);
  if (!judged.isNew) return tell(judged.text);
  return {
    do: "confirm",
    title,
    lines: [line(`${judged.text.slice(0, 1).toUpperCase()}${judged.text.slice(1)}.`)],
    word: null,
    next: () => ({ do: "ask", ask: { ask: "act", run: id, act, by }, doing: title.replace(/\?$/, ""), done: judged.text }),
  };
}
