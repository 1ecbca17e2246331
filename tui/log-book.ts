/** The lines of a run that a viewer holds, merged over ranks, and the way to those it does not hold. */

import type { LogLine } from "../cluster/viewer.ts";

export type LogBook = {
  readonly push: (line: LogLine) => void;
  /** The last `count` in the order they came, newest last. */
  readonly tail: (count: number) => readonly LogLine[];
  /** The last line of a rank; null: it has written none. */
  readonly lastOf: (rank: number) => LogLine | null;
};

/** Lines kept; older ones are asked for anew. */
const KEPT = 50_000;

export function createLogBook(): LogBook {
  let lines: LogLine[] = [];
  const last = new Map<number, LogLine>();
  return {
    push: (line) => {
      lines.push(line);
      if (line.rank !== null && line.text.trim() !== "") last.set(line.rank, line);
      if (lines.length > 2 * KEPT) lines = lines.slice(-KEPT);
    },
    tail: (count) => lines.slice(-count),
    lastOf: (rank) => last.get(rank) ?? null,
  };
}
