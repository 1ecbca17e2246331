/** Characters that are drawn, each with what stands for it where only ASCII is shown. All take one column. */

import { widthOf } from "../cluster/view/table.ts";

export type Glyphs = {
  readonly rule: string;
  /** Eighths of a block's height, the lowest first. */
  readonly spark: readonly string[];
  /** Eighths of a block's width, the narrowest first. */
  readonly meter: readonly string[];
  readonly empty: string;
  readonly chosen: string;
  readonly more: string;
  readonly upright: string;
  readonly corners: readonly [topLeft: string, topRight: string, bottomLeft: string, bottomRight: string];
  readonly up: string;
  readonly down: string;
};

const UNICODE: Glyphs = {
  rule: "─",
  spark: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
  meter: ["▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"],
  empty: "░",
  chosen: ">",
  more: "…",
  upright: "│",
  corners: ["┌", "┐", "└", "┘"],
  up: "↑",
  down: "↓",
};

const ASCII: Glyphs = {
  rule: "-",
  spark: ["_", ".", "-", "=", "+", "*", "%", "#"],
  meter: ["#"],
  empty: ".",
  chosen: ">",
  more: "~",
  upright: "|",
  corners: ["+", "+", "+", "+"],
  up: "^",
  down: "v",
};

export const glyphsOf = (isAscii: boolean): Glyphs => (isAscii ? ASCII : UNICODE);

/** Between the least and the greatest of them; the last `columns`. */
export function sparkline(values: readonly number[], columns: number, isAscii: boolean): string {
  const { spark } = glyphsOf(isAscii);
  const shown = values.filter(Number.isFinite).slice(-columns);
  const [least, most] = [Math.min(...shown), Math.max(...shown)];
  const middle = spark[Math.floor(spark.length / 2)] ?? "";
  return shown
    .map((value) => (most === least ? middle : (spark[Math.min(spark.length - 1, Math.floor(((value - least) / (most - least)) * spark.length))] ?? "")))
    .join("");
}

/** `share` of `columns`: filled as finely as the glyphs allow, then the rest. */
export function meter(share: number, columns: number, isAscii: boolean): { readonly full: string; readonly rest: string } {
  const { meter: parts, empty } = glyphsOf(isAscii);
  const eighths = Math.round(Math.max(0, Math.min(1, share)) * columns * parts.length);
  const whole = Math.floor(eighths / parts.length);
  const part = eighths % parts.length;
  const full = (parts.at(-1) ?? "").repeat(whole) + (part === 0 ? "" : (parts[part - 1] ?? ""));
  return { full, rest: empty.repeat(Math.max(0, columns - whole - (part === 0 ? 0 : 1))) };
}

/** What is drawn from elsewhere where only ASCII is shown: one for each column, the width stays what it was counted. */
export function toAscii(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII is what is kept
  return text.replace(/[^\x00-\x7f]/gu, (char) => REPLACED[char] ?? "?".repeat(widthOf(char)));
}

const REPLACED: Readonly<Record<string, string>> = {
  "…": "~",
  "─": "-",
  "│": "|",
  "°": "o",
  "→": ">",
  "·": ".",
  "–": "-",
  "—": "-",
  "’": "'",
  "“": '"',
  "”": '"',
};
