/** The lines of `nvidia-smi --query-gpu=… --format=csv[,noheader][,nounits]`: rows, and the text that the driver prints between them. */

import { type Lack, lackOf, type Reading, readFlag, readMask, readNumber, readText } from "./cell.ts";
import { canonicalField } from "./fields.ts";
import { isDriverText } from "./problem.ts";

/** Cells by the name that the field has in new drivers (see fields.ts). */
export type GpuRow = {
  /** Not null: the GPU is out of order, and no other cell but those that name it may be believed. */
  readonly down: "lost" | "reset-required" | "unknown" | null;
  readonly cells: Readonly<Record<string, string>>;
};

export type GpuLine =
  | { readonly kind: "row"; readonly row: GpuRow }
  | { readonly kind: "header"; readonly fields: readonly string[] }
  /** A line of text: an error, a warning, an Xid, or a row that was cut short. */
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "blank" };

/** They name the GPU or its software and stay true when it is gone. */
const STANDING = new Set([
  "timestamp",
  "index",
  "uuid",
  "name",
  "serial",
  "count",
  "hostname",
  "driver_version",
  "kmd_version",
  "vbios_version",
  "gpu_recovery_action",
  "compute_cap",
]);
const isStanding = (field: string): boolean => STANDING.has(field) || field.startsWith("pci.");

const TEXT_MAX = 500;

/** `fields`: what was asked, in its order; null: not known yet, the header will say. Reads one line without its newline. */
export function readGpuLine(fields: readonly string[] | null, line: string): GpuLine {
  const text = line.replace(/\r$/, "");
  if (text.trim() === "") return { kind: "blank" };
  const cells = splitCells(text);
  const header = headerOf(cells);
  if (header !== null) return { kind: "header", fields: header };
  if (fields === null || cells.length !== fields.length || isDriverText(text)) return { kind: "text", text: text.trim().slice(0, TEXT_MAX) };
  const named: Record<string, string> = {};
  fields.forEach((field, at) => {
    named[canonicalField(field)] = (cells[at] ?? "").trim();
  });
  if (!isPlausible(named)) return { kind: "text", text: text.trim().slice(0, TEXT_MAX) };
  return { kind: "row", row: { down: downOf(named), cells: named } };
}

export type GpuTable = { readonly fields: readonly string[]; readonly rows: readonly GpuRow[]; readonly texts: readonly string[] };

/** A whole answer. Without `fields` its first header says what was asked. */
export function readGpuTable(out: string, fields: readonly string[] | null = null): GpuTable {
  const rows: GpuRow[] = [];
  const texts: string[] = [];
  let known = fields;
  for (const line of out.split("\n")) {
    const read = readGpuLine(known, line);
    if (read.kind === "row") rows.push(read.row);
    if (read.kind === "text") texts.push(read.text);
    if (read.kind === "header" && (known === null || known.length === read.fields.length)) known = read.fields;
  }
  return { fields: (known ?? []).map(canonicalField), rows, texts };
}

/** `a, b [MiB]` → a, b. null: it is no header. Cells of a row hold no names of fields. */
function headerOf(cells: readonly string[]): readonly string[] | null {
  const names = cells.map((cell) => /^([a-z][A-Za-z0-9_.]{1,80})(?: \[[A-Za-z%/]{1,8}\])?$/.exec(cell.trim())?.[1]);
  if (!names.every((name) => name !== undefined)) return null;
  return names.some((name) => name.includes(".") || name.includes("_") || ["index", "uuid", "name", "timestamp", "count", "serial", "pstate"].includes(name))
    ? names
    : null;
}

function splitCells(text: string): string[] {
  return (text.endsWith(",") ? `${text} ` : text).split(", ");
}

/** A line of text with as many commas as a row has is none: what names a GPU has a shape. */
function isPlausible(cells: Readonly<Record<string, string>>): boolean {
  const fits = (field: string, shape: RegExp): boolean => {
    const cell = cells[field];
    return cell === undefined || lackOf(cell) !== null || shape.test(cell);
  };
  return (
    fits("index", /^\d{1,3}$/) &&
    fits("uuid", /^(?:GPU|MIG)-[0-9A-Za-z./_-]{1,80}$/) &&
    fits("timestamp", /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?$/) &&
    fits("pci.bus_id", /^[0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-9A-Fa-f]$/) &&
    fits("memory.used", /^\d/) &&
    fits("memory.total", /^\d/)
  );
}

function downOf(cells: Readonly<Record<string, string>>): GpuRow["down"] {
  const lacks = Object.entries(cells)
    .filter(([field]) => field !== "gpu_recovery_action")
    .map(([field, cell]) => ({ isStanding: isStanding(field), lack: lackOf(cell) }));
  if (lacks.some(({ lack }) => lack === "lost")) return "lost";
  if (lacks.some(({ lack }) => lack === "reset-required")) return "reset-required";
  const live = lacks.filter((entry) => !entry.isStanding && entry.lack !== "unsupported" && entry.lack !== "deprecated");
  // A single cell that the driver cannot read is a lack of that cell; nothing readable at all is a GPU that does not answer.
  return live.length >= 2 && live.every(({ lack }) => lack === "unknown") ? "unknown" : null;
}

/** What cannot be, whatever the driver prints: 4294967295 % and the like are how some say that they do not know. */
const BOUNDS: readonly (readonly [prefix: string, least: number, most: number])[] = [
  ["utilization.", 0, 100],
  ["fan.speed", 0, 1000],
  ["temperature.", -100, 250],
  ["memory.", 0, 1e9],
  ["power.", 0, 1e5],
  ["enforced.power.", 0, 1e5],
  ["clocks.", 0, 1e5],
  ["pcie.link.", 0, 1e3],
  ["ecc.errors.", 0, 2 ** 48],
  ["remapped_rows.", 0, 1e6],
  ["retired_pages.", 0, 1e6],
  ["index", 0, 999],
];

export function numberOf(row: GpuRow, field: string): Reading {
  const cell = cellOf(row, field);
  if (typeof cell !== "string") return cell;
  const read = readNumber(cell);
  const bound = BOUNDS.find(([prefix]) => field.startsWith(prefix));
  return "v" in read && bound !== undefined && (read.v < bound[1] || read.v > bound[2]) ? { na: "garbled" } : read;
}

export function textOf(row: GpuRow, field: string): Reading<string> {
  const cell = cellOf(row, field);
  return typeof cell === "string" ? readText(cell) : cell;
}

export function flagOf(row: GpuRow, field: string): Reading<boolean> {
  const cell = cellOf(row, field);
  return typeof cell === "string" ? readFlag(cell) : cell;
}

export function maskOf(row: GpuRow, field: string): Reading {
  const cell = cellOf(row, field);
  return typeof cell === "string" ? readMask(cell) : cell;
}

function cellOf(row: GpuRow, field: string): string | { readonly na: Lack } {
  const cell = Object.hasOwn(row.cells, field) ? row.cells[field] : undefined;
  if (cell === undefined) return { na: "not-asked" };
  return row.down !== null && !isStanding(field) ? { na: "down" } : cell;
}
