/** Hosts as rows of columns; columns go in a declared order where there is no room, and healthy hosts are folded where there are too many. */

import { fitTo, padTo, widthOf } from "../../cluster/view/table.ts";
import { glyphsOf } from "../glyphs.ts";
import { columnsOf, fitLine, type Line, type Span, span, type Tone } from "../line.ts";
import type { View } from "../screen.ts";
import type { HostRow } from "./host-row.ts";

type Column = {
  readonly title: string;
  readonly columns: number;
  readonly isLeft?: true;
  /** The higher, the sooner it goes. */
  readonly drop: number;
  readonly cell: (row: HostRow) => readonly Span[];
};

const NAME_MOST = 24;
const text = (value: string, tone: Tone = "plain"): readonly Span[] => [span(value, tone)];
const number = (value: number | null, digits: number, unit = ""): readonly Span[] =>
  value === null ? text("-", "dim") : text(`${value.toFixed(digits)}${unit}`);

function columnsFor(rows: readonly HostRow[], isBars: boolean, isAscii: boolean): readonly Column[] {
  const gpus = Math.max(0, ...rows.map((row) => row.gpus.length));
  const widest = (words: readonly string[]): number => Math.max(0, ...words.map(widthOf));
  const name: Column = {
    title: "HOST",
    columns: Math.min(NAME_MOST, Math.max(6, widest(rows.map((row) => row.name)))),
    isLeft: true,
    drop: 0,
    cell: (row) => text(row.name),
  };
  const state: Column = { title: "STATE", columns: 10, isLeft: true, drop: 0, cell: (row) => text(row.word, row.tone) };
  const address: Column = {
    title: "ADDRESS",
    columns: Math.min(20, Math.max(7, widest(rows.map((row) => row.address)))),
    isLeft: true,
    drop: 9,
    cell: (row) => text(row.address, "dim"),
  };
  if (rows.some((row) => row.doing !== "")) return [name, { ...address, drop: 1 }];
  const ranks: Column = {
    title: "RANKS",
    columns: Math.min(9, Math.max(5, widest(rows.map((row) => row.ranks)))),
    drop: 3,
    isLeft: true,
    cell: (row) => text(row.ranks),
  };
  const network: Column[] = [
    { title: "Gb/s", columns: 5, drop: 6, cell: (row) => number(row.received, 1) },
    { title: RECEIVED, columns: 7, drop: 7, cell: (row) => number(row.received, 1) },
    { title: "TX Gb/s", columns: 7, drop: 7, cell: (row) => number(row.sent, 1) },
  ];
  const age: Column = { title: "AGE", columns: 4, drop: 8, cell: (row) => number(row.ageMs === null ? null : row.ageMs / 1000, 0, "s") };
  if (gpus === 0)
    return [
      name,
      address,
      state,
      ranks,
      { title: "CPU%", columns: 5, drop: 1, cell: (row) => number(row.cpuUse, 0) },
      { title: "MEM GiB", columns: 8, drop: 4, cell: (row) => number(row.hostMemoryGiB, 1) },
      ...network,
      age,
    ];
  return [
    name,
    address,
    state,
    ranks,
    isBars
      ? { title: "GPUS", columns: Math.max(4, gpus), isLeft: true, drop: 1, cell: (row) => barsOf(row, isAscii) }
      : { title: gpuTitle(gpus), columns: 4 * gpus, isLeft: true, drop: 1, cell: numbersOf },
    ...(isBars ? [{ title: "USE", columns: 4, drop: 1, cell: (row: HostRow) => number(row.use, 0) }] : []),
    { title: "MEM", columns: 4, drop: 4, cell: (row) => number(row.memoryGiB, 0, "G") },
    { title: "kW", columns: 4, drop: 5, cell: (row) => number(row.kilowatts, 1) },
    { title: "T", columns: 3, drop: 8, cell: (row) => number(row.hottestC, 0) },
    ...network,
    { title: "CPU%", columns: 4, drop: 9, cell: (row) => number(row.cpuUse, 0) },
    age,
  ];
}

const gpuTitle = (gpus: number): string => Array.from({ length: gpus }, (_, k) => (k === 0 ? "GPU0" : `${k}`.padStart(3).padEnd(4))).join("");

const numbersOf = (row: HostRow): readonly Span[] =>
  row.gpus.length === 0
    ? text("-", "dim")
    : row.gpus.map(({ use, isOdd }) =>
        span(`${use === null ? "-" : use.toFixed(0)}`.padStart(3) + (isOdd ? "!" : " "), isOdd ? "warn" : use === null ? "dim" : "plain"),
      );

function barsOf(row: HostRow, isAscii: boolean): readonly Span[] {
  const { spark } = glyphsOf(isAscii);
  if (row.gpus.length === 0) return text("-", "dim");
  return row.gpus.map(({ use, isOdd }) => {
    if (use === null) return span("-", "dim");
    return span(spark[Math.min(spark.length - 1, Math.floor((use / 100) * spark.length))] ?? "", isOdd ? "warn" : "plain");
  });
}

const RECEIVED = "RX Gb/s";
const GAP = 2;
const MARK = 2;
/** First all; then numbers go before GPUs become bars; at last only the names. */
const ATTEMPTS: readonly (readonly [isBars: boolean, most: number])[] = [
  [false, 9], [false, 8], [false, 7], [false, 6], [false, 5], [true, 8], [true, 7], [true, 6], [true, 5], [true, 4], [true, 3], [true, 1], [true, 0],
]; // biome-ignore format: a list

function chosenColumns(rows: readonly HostRow[], columns: number, isAscii: boolean): readonly Column[] {
  for (const [isBars, most] of ATTEMPTS) {
    const shown = columnsFor(rows, isBars, isAscii).filter(({ drop, title }) => drop <= most && (title !== "Gb/s" || most < 7));
    if (MARK + shown.reduce((sum, column) => sum + column.columns + GAP, 0) - GAP <= columns) return shown;
  }
  return columnsFor(rows, true, isAscii).filter(({ drop }) => drop === 0);
}

export type HostTable = {
  readonly head: Line;
  /** Of the rows that are shown in full, in the order given. */
  readonly rows: readonly Line[];
};

/** `chosen`: name of the host that is marked; null: none is. */
export function hostTable(rows: readonly HostRow[], all: readonly HostRow[], chosen: string | null, view: View): HostTable {
  const shown = chosenColumns(all, view.columns, view.isAscii);
  const aligned = (cell: readonly Span[], { columns, isLeft }: Column): readonly Span[] => {
    const fitted =
      cell.reduce((sum, each) => sum + widthOf(each.text), 0) > columns ? cell.map((each) => ({ ...each, text: fitTo(each.text, columns) })) : cell;
    const blank = span(" ".repeat(Math.max(0, columns - columnsOf(fitted))));
    return isLeft === true ? [...fitted, blank] : [blank, ...fitted];
  };
  const joined = (cells: readonly (readonly Span[])[]): readonly Span[] => cells.flatMap((cell, k) => (k === 0 ? cell : [span(" ".repeat(GAP)), ...cell]));
  const head: Line = [span(" ".repeat(MARK)), ...joined(shown.map((column) => aligned(text(column.title, "dim"), column)))];
  return {
    head: fitLine(head, view.columns),
    rows: rows.map((row) => {
      const cells = joined(shown.map((column) => aligned(column.cell(row), column)));
      const isChosen = row.name === chosen;
      const mark = span(isChosen ? `${glyphsOf(view.isAscii).chosen} ` : " ".repeat(MARK), "accent");
      const named = isChosen ? cells.map((each, k) => (k === 0 ? { ...each, tone: "title" as const } : each)) : cells;
      return fitLine([mark, ...named, ...(row.doing === "" ? [] : [span(`  ${row.doing}`, row.tone)])], view.columns);
    }),
  };
}

/** Healthy hosts in few rows: a name and how busy it is. */
export function foldedHosts(
  rows: readonly HostRow[],
  most: number,
  chosen: string | null,
  columns: number,
): { readonly lines: readonly Line[]; readonly across: number } {
  const width = Math.max(4, ...rows.map((row) => widthOf(row.name)));
  const value = (row: HostRow): string => `${row.use === null ? (row.cpuUse === null ? "-" : row.cpuUse.toFixed(0)) : row.use.toFixed(0)}`.padStart(4);
  const cell = width + 4 + 2;
  const across = Math.max(1, Math.floor((columns - MARK) / cell));
  const need = Math.ceil(rows.length / across);
  const isCut = need > most - 1;
  const place = Math.max(
    0,
    rows.findIndex((row) => row.name === chosen),
  );
  const from = isCut ? Math.max(0, Math.min(need - (most - 1), Math.floor(place / across) - Math.floor((most - 1) / 2))) : 0;
  const lines = Array.from({ length: Math.max(0, Math.min(need, most - 1)) }, (_, k): Line => {
    const part = rows.slice((from + k) * across, (from + k + 1) * across);
    return [
      span(" ".repeat(MARK)),
      ...part.flatMap((row) => [span(padTo(row.name, width), row.name === chosen ? "chosen" : "plain"), span(`${value(row)}  `, "dim")]),
    ];
  });
  const busy = rows.flatMap(({ use }) => use ?? []);
  const mean = busy.length === 0 ? "" : `, GPUs at ${(busy.reduce((sum, use) => sum + use, 0) / busy.length).toFixed(0)} % on average`;
  const seen = isCut ? `, ${from * across + 1}-${Math.min(rows.length, (from + lines.length) * across)} shown` : "";
  return { lines: [[span(`  ${rows.length} healthy host${rows.length === 1 ? "" : "s"}${mean}${seen}`, "good")], ...lines], across };
}
