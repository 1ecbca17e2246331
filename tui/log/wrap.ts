/** A text cut into pieces that fit a width, at blanks where there are some. */

import { widthOf } from "../../cluster/view/table.ts";

/** At most `limit` pieces, each at most `columns` (2 or more) wide: the last one ends in `more` when there is more text. */
export function wrapText(text: string, columns: number, limit: number, more: string): readonly string[] {
  const pieces: string[] = [];
  let rest = text;
  while (pieces.length < limit - 1) {
    const piece = headOf(rest, columns);
    if (piece.length === rest.length) return [...pieces, rest];
    const blank = piece.lastIndexOf(" ");
    const cut = blank > piece.length / 2 ? blank + 1 : piece.length;
    pieces.push(rest.slice(0, cut).trimEnd());
    rest = rest.slice(cut);
  }
  const piece = headOf(rest, columns);
  return [...pieces, piece.length === rest.length ? rest : headOf(rest, columns - widthOf(more)) + more];
}

/** As much of the beginning as fits. */
export function headOf(text: string, columns: number): string {
  let width = 0;
  let end = 0;
  for (const char of text) {
    width += widthOf(char);
    if (width > columns) break;
    end += char.length;
  }
  return text.slice(0, end);
}

/** Without what is left of column `from`, for reading a long line sideways. */
export function fromColumn(text: string, from: number): string {
  let width = 0;
  let start = 0;
  for (const char of text) {
    if (width >= from) break;
    width += widthOf(char);
    start += char.length;
  }
  return text.slice(start);
}
