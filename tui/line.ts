/** Rows of a screen as data: pieces of text, each with a meaning. A theme makes colours of meanings; a width is counted in columns of the terminal. */

import { fitTo, widthOf } from "../cluster/view/table.ts";

export type Tone = "plain" | "dim" | "good" | "warn" | "bad" | "accent" | "title" | "chosen";
export type Span = { readonly text: string; readonly tone: Tone };
export type Line = readonly Span[];

export const span = (text: string, tone: Tone = "plain"): Span => ({ text, tone });
export const line = (text: string, tone: Tone = "plain"): Line => [{ text, tone }];
export const textOf = (spans: Line): string => spans.map(({ text }) => text).join("");
export const columnsOf = (spans: Line): number => spans.reduce((sum, { text }) => sum + widthOf(text), 0);

/** Exactly `columns` wide: cut with an ellipsis, or filled with blanks. */
export function fitLine(spans: Line, columns: number): Line {
  const fitted: Span[] = [];
  let left = columns;
  for (const each of spans) {
    if (left <= 0) break;
    const text = fitTo(each.text, left);
    fitted.push({ ...each, text });
    left -= widthOf(text);
  }
  return left > 0 ? [...fitted, span(" ".repeat(left))] : fitted;
}
