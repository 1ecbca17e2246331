/** The last that happens to rows before they leave a screen: nothing but text, as wide and as many as there is room for. */

import { sanitiseWord } from "../../../cluster/sanitise.ts";
import { widthOf } from "../../../cluster/view/table.ts";
import { toAscii } from "../../glyphs.ts";
import { columnsOf, fitLine, type Line, type Span } from "../../line.ts";
import type { View } from "../../screen.ts";

const isPlain = (text: string): boolean => /^[ -~]*$/.test(text);
/** What it is measured by must be what is drawn: names and words from elsewhere are cleaned before they are fitted. */
export const clean = (each: Span): Span => (isPlain(each.text) ? each : { ...each, text: sanitiseWord(each.text) });

export const finish = (lines: readonly Line[], { columns, rows, isAscii }: View): readonly Line[] =>
  lines.slice(0, rows).map((line) => {
    const safe = line.map(clean);
    const fitted = columnsOf(safe) > columns ? fitLine(safe, columns) : safe;
    return isAscii ? fitted.map((each) => (isPlain(each.text) ? each : { ...each, text: asciiOf(each.text) })) : fitted;
  });

/** As many columns as before: what takes two is told by two. */
const asciiOf = (text: string): string => [...text].map((char) => (isPlain(char) ? char : toAscii(char).slice(0, 1).repeat(widthOf(char)))).join("");
