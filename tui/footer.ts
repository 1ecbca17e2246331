/** The last row: keys that mean something here, made from the table. */

import { chordWord, keyOf } from "./keymap.ts";
import type { ActionId } from "./keys.ts";
import { columnsOf, type Line, span } from "./line.ts";
import { apart } from "./panes.ts";

type Hint = { readonly chord: string; readonly word: string };

/** Keys that go together are named together. */
const PAIRS: readonly { readonly of: readonly ActionId[]; readonly hint: Hint }[] = [
  { of: ["down", "up"], hint: { chord: "j/k", word: "move" } },
  { of: ["next", "previous"], hint: { chord: "n/N", word: "next" } },
  { of: ["left", "right"], hint: { chord: "←/→", word: "side" } },
];
const ALWAYS: readonly ActionId[] = ["palette", "help", "leave"];

/** Those that do not fit are left out, the last first; help and the way out stay. */
export function footerLine(actions: readonly ActionId[], mayAct: boolean, columns: number): Line {
  const wanted = actions.filter((action) => !(!mayAct && keyOf(action).isActing === true) && !ALWAYS.includes(action));
  const hints: Hint[] = [];
  for (const action of wanted) {
    const pair = PAIRS.find(({ of }) => of.includes(action) && of.every((one) => wanted.includes(one)));
    if (pair === undefined) hints.push(hintOf(action));
    else if (!hints.includes(pair.hint)) hints.push(pair.hint);
  }
  const right: Line = [...ALWAYS.map(hintOf).flatMap(drawHint), span(" ")];
  const left: Line[] = [];
  let used = columnsOf(right) + 1;
  for (const hint of hints) {
    const drawn = drawHint(hint);
    if (used + columnsOf(drawn) > columns) break;
    used += columnsOf(drawn);
    left.push(drawn);
  }
  return apart(left.flat(), right, columns);
}

const hintOf = (action: ActionId): Hint => ({ chord: chordWord(keyOf(action).chords[0] ?? ""), word: keyOf(action).short });
const drawHint = ({ chord, word }: Hint): Line => [span(" "), span(chord, "title"), span(` ${word} `, "dim")];

/** Keys of a question: what is typed, and what it does. */
export const choiceLine = (choices: readonly (readonly [chord: string, word: string])[]): Line =>
  choices.flatMap(([chord, word]) => [span(" "), span(`[${chord}]`, "title"), span(` ${word} `)]);
