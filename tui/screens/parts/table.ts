/** A list as columns: only rows that are seen are made, columns go in a declared order where there is little room. */

import { fitTo, padTo, widthOf } from "../../../cluster/view/table.ts";
import { glyphsOf } from "../../glyphs.ts";
import { columnsOf, fitLine, type Line, type Span, span } from "../../line.ts";
import { clean } from "./finish.ts";

export type Column<R> = {
  readonly title: string;
  readonly of: (row: R) => Span | string;
  readonly isRight?: true;
  /** The greatest goes first where there is little room; 0: it stays. */
  readonly drop: number;
  /** It takes the room that is left, and goes where it would have less than this. */
  readonly fills?: number;
  /** No wider than this. */
  readonly most?: number;
  /** One blank before it, not two. */
  readonly isTight?: true;
};

export type Table<R> = {
  readonly columns: readonly Column<R>[];
  readonly rows: readonly R[];
  /** Index of the chosen row; -1: none. */
  readonly chosen: number;
  /** The first row that is seen, and how many are. */
  readonly top: number;
  readonly height: number;
  readonly width: number;
  readonly isAscii: boolean;
  /** Title of the column that it is sorted by. */
  readonly sortedBy?: string;
  readonly isMarked?: (row: R) => boolean;
};

/** Blanks between columns, and the two in front for what is chosen and what is marked. */
const GAP = 2;
const FRONT = 2;

/** A head and the rows that are seen. */
export function drawTable<R>(table: Table<R>): readonly Line[] {
  const { rows, chosen, top, height, width, isAscii, sortedBy, isMarked } = table;
  const glyphs = glyphsOf(isAscii);
  const shown = rows.slice(top, top + height);
  const cells = shown.map((row) => table.columns.map((column) => asSpan(column.of(row))));
  const titles = table.columns.map(({ title }) => (title === sortedBy ? `${title}${glyphs.down}` : title));
  const widths = table.columns.map((column, k) => {
    const own = Math.max(widthOf(titles[k] ?? ""), column.fills ?? 0, ...(column.fills === undefined ? cells.map((row) => widthOf(row[k]?.text ?? "")) : []));
    return Math.min(own, column.most ?? own);
  });
  const kept = fitting(table.columns, widths, width - FRONT);
  const room = width - FRONT - takenBy(kept, table.columns, widths);
  for (const k of kept) if (table.columns[k]?.fills !== undefined) widths[k] = (widths[k] ?? 0) + Math.max(0, room);
  const line = (front: Span, own: readonly Span[]): Line => [
    front,
    ...kept.flatMap((k, at): Span[] => {
      const { text, tone } = own[k] ?? span("");
      const columns = widths[k] ?? 0;
      const cut = fitTo(text, columns);
      const wide = table.columns[k]?.isRight ? " ".repeat(Math.max(0, columns - widthOf(cut))) + cut : padTo(cut, columns);
      return [...(at === 0 ? [] : [span(" ".repeat(gapOf(table.columns[k])))]), { text: wide, tone }];
    }),
  ];
  const head = line(
    span("  ", "dim"),
    titles.map((title) => span(title, "dim")),
  );
  return [
    head,
    ...cells.map((own, k) => {
      const row = rows[top + k];
      const mark = row !== undefined && isMarked?.(row) === true ? "*" : " ";
      if (top + k !== chosen) return line(span(` ${mark}`, "accent"), own);
      return asChosen(line(span(`${glyphs.chosen}${mark}`), own), width);
    }),
  ];
}

const asSpan = (cell: Span | string): Span => clean(typeof cell === "string" ? span(cell) : cell);

/** A bar over the whole width. */
export function asChosen(line: Line, width: number): Line {
  const wide = columnsOf(line) < width ? fitLine(line, width) : line;
  return wide.map(({ text }) => span(text, "chosen"));
}

const gapOf = <R>(column: Column<R> | undefined): number => (column?.isTight ? 1 : GAP);
const takenBy = <R>(kept: readonly number[], columns: readonly Column<R>[], widths: readonly number[]): number =>
  kept.reduce((sum, k, at) => sum + (widths[k] ?? 0) + (at === 0 ? 0 : gapOf(columns[k])), 0);

/** Which columns there is room for. */
function fitting<R>(columns: readonly Column<R>[], widths: readonly number[], room: number): readonly number[] {
  let kept = columns.map((_, k) => k);
  while (takenBy(kept, columns, widths) > room) {
    const [least] = [...kept].sort((a, b) => (columns[b]?.drop ?? 0) - (columns[a]?.drop ?? 0));
    if (least === undefined || (columns[least]?.drop ?? 0) === 0) break;
    kept = kept.filter((k) => k !== least);
  }
  return kept;
}
