/** Sentences as rows, and what a screen says in place of its rows when there is nothing to show. */

import { sanitise, withoutColour } from "../../../cluster/sanitise.ts";
import { type Line, line, span, type Tone } from "../../line.ts";
import { wrapText } from "../../log/wrap.ts";

/** Rows of one sentence, or of several lines; all but the first further in. */
export function sentence(text: string, columns: number, tone: Tone = "plain", indent = 1): readonly Line[] {
  const room = Math.max(2, columns - indent - 1);
  return withoutColour(sanitise(text))
    .split("\n")
    .flatMap((part) => wrapText(part, room, 200, "…"))
    .map((piece) => [span(" ".repeat(indent)), span(piece, tone)]);
}

/** A name in front, the words beside it on as many rows as they need. */
export function labelled(label: string, text: string, columns: number, tone: Tone = "plain", width = 12): readonly Line[] {
  return sentence(text, columns, tone, width + 2).map((row, k) => (k === 0 ? [span(` ${label.padEnd(width)} `, "dim"), ...row.slice(1)] : row));
}

/** Why there is nothing to see, and what would change that. */
export const nothing = (text: string, hint = ""): readonly Line[] => [[], line(` ${text}`, "plain"), ...(hint === "" ? [] : [line(` ${hint}`, "dim")])];

export const NO_RUN = nothing("No run is watched here.", "7 lists the runs of this machine; enter opens one. nexadist up FILE starts one.");
