/** A look at every rank's stack, now: who stands where, who waits for whom. */

import { isOver } from "../../cluster/run/state.ts";
import { hangLines, stackLines } from "../../cluster/view/hang-words.ts";
import type { TwoLooks } from "../../cluster/viewer.ts";
import { line } from "../line.ts";
import type { RunModel } from "../model.ts";
import type { Wish } from "../screen.ts";
import { finish } from "./parts/finish.ts";
import { sentence } from "./parts/words.ts";

export function hangWish({ id, state }: RunModel): Wish {
  if (isOver(state)) return { do: "say", text: `${id} is over: no rank of it is alive`, isBad: true };
  if (Object.values(state.ranks).every(({ exit }) => exit !== null)) return { do: "say", text: "no rank is alive yet", isBad: true };
  return { do: "ask-and-show", ask: { ask: "hang", run: id }, doing: "looking twice at every rank", show: (answer) => hangOverlay(answer as TwoLooks) };
}

export function hangOverlay(looks: TwoLooks): Wish {
  const [verdict = "", moves = "", ...rest] = hangLines(looks);
  const stacks = stackLines(looks.second);
  return {
    do: "overlay",
    title: `where the ranks stand, attempt ${looks.attempt}`,
    lines: (_, view) =>
      finish(
        [
          ...sentence(verdict, view.columns, "title"),
          ...sentence(moves, view.columns, moves.startsWith("nothing") ? "bad" : "good"),
          ...rest.flatMap((text) => (text === "" ? [[]] : view.columns >= 100 ? [line(` ${text}`)] : sentence(text, view.columns))),
          ...stacks.map((text) => line(` ${text}`, text.startsWith("rank") ? "title" : "plain")),
        ],
        { ...view, rows: 100_000 },
      ),
  };
}
