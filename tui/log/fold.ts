/** Lines that several ranks wrote alike become one row with the ranks named; lines that differ stay as they are, and each rank's lines stay in their order. */

import { withoutColour } from "../../cluster/sanitise.ts";
import { afterLastReturn } from "../../cluster/view/lines.ts";
import type { LogLine } from "../../cluster/viewer.ts";
import type { Level } from "./level.ts";

export type Row = {
  readonly line: LogLine;
  readonly level: Level;
  /** The same of other ranks, or of other hosts' launchers. */
  readonly also: readonly LogLine[];
  /** Which line of its block. */
  readonly place: number;
  /** It is the first of its attempt among those before it. */
  readonly beginsAttempt: boolean;
};

/** Ranks that do the same do it about then. */
const FOLD_MS = 2000;

/** 2026-11-24 14:02:11,123 · [2026-11-24T14:02:11.123Z] · 14:02:11 · I1124 14:02:11.123456 4711: when it was written, which differs between ranks. */
const WRITTEN = /^[[(]?(?:[IWEDF]\d{4} |\d{4}-\d\d-\d\d[ T])?\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?[+-]\d\d:?\d\d|Z)?(?: \d+)?[\])]?/;

/** What must be alike: without colour, time and the rank that torch puts before it. */
export function sameText(line: LogLine): string {
  let text = line.text;
  if (text.includes("\r")) text = afterLastReturn(text);
  if (text.includes("\u001b")) text = withoutColour(text);
  const own = `[rank${line.rank}]:`;
  if (text.startsWith(own)) text = text.slice(own.length);
  return text.replace(WRITTEN, "");
}

export type Folder = {
  readonly push: (line: LogLine, level: Level, place: number) => void;
  readonly rows: readonly Row[];
};

/** `attempt`: that of the line before the first. */
export function createFolder(attempt: number | null): Folder {
  const rows: (Row & { readonly also: LogLine[] })[] = [];
  const open = new Map<string, number>();
  const lastRow = new Map<string, number>();
  let latest = attempt;
  return {
    rows,
    push: (line, level, place) => {
      const who = `${line.host}\n${line.rank}`;
      const beginsAttempt = latest !== null && line.attempt > latest;
      latest = Math.max(latest ?? 0, line.attempt);
      const key = line.gap === undefined ? `${line.attempt} ${line.stream} ${sameText(line)}` : null;
      const index = key === null ? undefined : open.get(key);
      const row = index === undefined ? undefined : rows[index];
      if (row !== undefined && index !== undefined && index > (lastRow.get(who) ?? -1) && Math.abs(line.at - row.line.at) <= FOLD_MS) {
        row.also.push(line);
        lastRow.set(who, index);
        return;
      }
      rows.push({ line, level, also: [], place, beginsAttempt });
      lastRow.set(who, rows.length - 1);
      if (key !== null) open.set(key, rows.length - 1);
    },
  };
}
