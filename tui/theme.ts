/** Makes a terminal's colours of meanings: the sixteen that every terminal has and its owner chose, no background but inverse. Without colours only weight is left. */

import { sanitiseWord } from "../cluster/sanitise.ts";
import { toAscii } from "./glyphs.ts";
import type { Line, Tone } from "./line.ts";

export type Theme = "colour" | "mono";

/** SGR that begins and ends a tone. Bright black is invisible in some palettes: what is dim is dimmed. */
const COLOUR: Readonly<Record<Tone, readonly [string, string]>> = {
  plain: ["", ""],
  dim: ["2", "22"],
  good: ["32", "39"],
  warn: ["33", "39"],
  bad: ["31;1", "39;22"],
  accent: ["36", "39"],
  title: ["1", "22"],
  chosen: ["7", "27"],
};
const MONO: typeof COLOUR = { ...COLOUR, good: ["", ""], warn: ["", ""], bad: ["1", "22"], accent: ["", ""] };

/** One row as the terminal is sent it. What a screen let through by mistake ends here: nothing but text and our own colours goes out. */
export function paint(spans: Line, theme: Theme, isAscii: boolean): string {
  const table = theme === "colour" ? COLOUR : MONO;
  return spans
    .map(({ text, tone }) => {
      const clean = isAscii ? toAscii(sanitiseWord(text)) : sanitiseWord(text);
      const [on, off] = table[tone];
      return on === "" || clean === "" ? clean : `\u001b[${on}m${clean}\u001b[${off}m`;
    })
    .join("");
}
