/** A row of logs as lines of the screen: when, where, who, how bad, and the text, wrapped or cut. */

import { fitTo } from "../../cluster/view/table.ts";
import { glyphsOf } from "../glyphs.ts";
import { fitLine, type Line, line as plainLine, type Span, span, type Tone } from "../line.ts";
import type { Row } from "./fold.ts";
import type { Level } from "./level.ts";
import { shownText } from "./text.ts";
import { formatTime, type TimeFormat } from "./times.ts";
import { hostCell, rankCell } from "./who.ts";
import { fromColumn, wrapText } from "./wrap.ts";

export type Layout = {
  readonly columns: number;
  readonly time: TimeFormat;
  readonly start: number;
  /** 0: no such column. */
  readonly hostColumns: number;
  readonly rankColumns: number;
  readonly isWrapped: boolean;
  /** Lines that a row takes at most. */
  readonly limit: number;
  /** Columns of the text that are left of what is seen. */
  readonly left: number;
  readonly pattern: RegExp | null;
  readonly isAscii: boolean;
  /** What rows were cut into, for this layout. */
  readonly pieces: Map<Row, readonly string[]>;
};

const TONES: Readonly<Record<Level, Tone>> = { debug: "dim", info: "plain", warning: "warn", error: "bad" };
const MARKS: Readonly<Record<Level, string>> = { debug: " ", info: " ", warning: "W", error: "E" };
/** UTF-16 units of a line for each column, with room for colours. */
const UNITS = 4;
/** Looked at for matches to light up. */
const LIT = 1000;

/** Columns before the text. */
const indentOf = ({ time, hostColumns, rankColumns }: Layout): number =>
  1 + (time === "none" ? 0 : formatTime(0, time, 0).length + 1) + (hostColumns === 0 ? 0 : hostColumns + 1) + rankColumns + 3;

/** The column before it says so already. */
function withoutOwnRank(row: Row, text: string): string {
  const own = `[rank${row.line.rank}]:`;
  return text.startsWith(own) ? text.slice(text[own.length] === " " ? own.length + 1 : own.length) : text;
}

function piecesOf(row: Row, layout: Layout): readonly string[] {
  const known = layout.pieces.get(row);
  if (known !== undefined) return known;
  const pieces = cutUp(row, layout);
  layout.pieces.set(row, pieces);
  return pieces;
}

function cutUp(row: Row, layout: Layout): readonly string[] {
  const { isWrapped, limit, left, isAscii } = layout;
  const room = Math.max(2, layout.columns - indentOf(layout));
  const lines = isWrapped ? Math.max(1, limit - (row.beginsAttempt ? 1 : 0)) : 1;
  const text = withoutOwnRank(row, shownText(row.line, left + UNITS * room * (lines + 1)));
  return isWrapped ? wrapText(text, room, lines, glyphsOf(isAscii).more) : [fitTo(fromColumn(text, left), room)];
}

export const heightOf = (row: Row, layout: Layout): number => (layout.isWrapped ? piecesOf(row, layout).length : 1) + (row.beginsAttempt ? 1 : 0);

export function drawRow(row: Row, layout: Layout, isChosen: boolean): readonly Line[] {
  const { line, level } = row;
  const { columns, time, hostColumns, rankColumns } = layout;
  const tone = line.gap !== undefined || (line.stream === "nccl" && level === "info") ? "dim" : TONES[level];
  const lines = piecesOf(row, layout).map((piece, k): Line => {
    if (k > 0) return fitLine([span(" ".repeat(indentOf(layout))), ...light(piece, tone, layout.pattern)], columns);
    const when = time === "none" ? "" : `${formatTime(line.at, time, layout.start)} `;
    const host = hostColumns === 0 ? "" : `${hostCell(row, hostColumns)} `;
    const head = [
      span(isChosen ? ">" : " ", "accent"),
      span(when, "dim"),
      span(host),
      span(rankCell(row, rankColumns), "accent"),
      span(` ${MARKS[level]} `, tone),
    ];
    return fitLine([...head, ...light(piece, tone, layout.pattern)], columns);
  });
  const shown = isChosen ? lines.map((each) => each.map(({ text }) => span(text, "chosen"))) : lines;
  return row.beginsAttempt ? [attemptLine(line.attempt, layout), ...shown] : shown;
}

function attemptLine(attempt: number, { columns, isAscii }: Layout): Line {
  const { rule } = glyphsOf(isAscii);
  return fitLine(plainLine(`${rule.repeat(2)} attempt ${attempt} ${rule.repeat(Math.max(0, columns - 13 - String(attempt).length))}`, "title"), columns);
}

/** What the filter finds is shown where it is. */
function light(text: string, tone: Tone, pattern: RegExp | null): readonly Span[] {
  const match = pattern?.exec(text.slice(0, LIT));
  if (match === null || match === undefined || match[0] === "") return [span(text, tone)];
  const end = match.index + match[0].length;
  return [span(text.slice(0, match.index), tone), span(match[0], "accent"), span(text.slice(end), tone)].filter((each) => each.text !== "");
}
