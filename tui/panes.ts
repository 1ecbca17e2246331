/** Areas of a screen: rules with words in them, frames, two beside each other. */

import { widthOf } from "../cluster/view/table.ts";
import { glyphsOf } from "./glyphs.ts";
import { columnsOf, fitLine, type Line, type Span, span } from "./line.ts";

/** A rule across; `words` stand in it. */
export function ruled(words: readonly Span[], columns: number, isAscii: boolean): Line {
  const { rule } = glyphsOf(isAscii);
  if (words.length === 0) return [span(rule.repeat(columns), "dim")];
  const head: Line = [span(`${rule}${rule} `, "dim"), ...words, span(" ")];
  return fitLine([...head, span(rule.repeat(Math.max(0, columns - columnsOf(head))), "dim")], columns);
}

/** Exactly so many rows: what is too much is cut, what is missing is blank. */
export function fill(lines: readonly Line[], rows: number): readonly Line[] {
  return lines.length >= rows ? lines.slice(0, Math.max(0, rows)) : [...lines, ...Array.from({ length: rows - lines.length }, (): Line => [])];
}

/** A frame around; what is inside has two columns and two rows less. */
export function framed(title: readonly Span[], lines: readonly Line[], columns: number, rows: number, isAscii: boolean): readonly Line[] {
  const { rule, upright, corners } = glyphsOf(isAscii);
  const inner = columns - 2;
  const words = title.length === 0 ? [] : [span(" "), ...title, span(" ")];
  const cut = fitWords([span(rule, "dim"), ...words], inner);
  const top: Line = [span(corners[0], "dim"), ...cut, span(rule.repeat(Math.max(0, inner - columnsOf(cut))), "dim"), span(corners[1], "dim")];
  const body = fill(lines, rows - 2).map((line): Line => [span(upright, "dim"), ...fitLine(line, inner), span(upright, "dim")]);
  return [top, ...body, [span(`${corners[2]}${rule.repeat(inner)}${corners[3]}`, "dim")]];
}

const fitWords = (words: Line, columns: number): Line => (columnsOf(words) <= columns ? words : fitLine(words, columns));

/** Left, then right of it; `columns` is the width of the left one. */
export const beside = (left: readonly Line[], right: readonly Line[], columns: number): readonly Line[] =>
  Array.from({ length: Math.max(left.length, right.length) }, (_, k) => [...fitLine(left[k] ?? [], columns), ...(right[k] ?? [])]);

/** The left, blanks, the right; the left is cut when both do not fit. */
export function apart(left: Line, right: Line, columns: number): Line {
  const room = columns - columnsOf(right);
  return room <= 0 ? fitLine(left, columns) : [...fitLine(left, room), ...right];
}

/** Words on rows no wider than `columns`; further rows are indented. */
export function wrapped(text: string, columns: number, indent = 0): readonly string[] {
  const rows: string[] = [];
  let row = "";
  for (const word of text.split(" ")) {
    const joined = row === "" ? word : `${row} ${word}`;
    if (widthOf(joined) <= columns || row === "") row = joined;
    else {
      rows.push(row);
      row = " ".repeat(indent) + word;
    }
  }
  return [...rows, row];
}
