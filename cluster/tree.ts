/** The canonical text of a snapshot: its sha256 names the tree on both sides, whatever order the entries came in. */

import type { SnapshotEntry } from "./protocol.ts";

/** By UTF-16 code units, so that every machine and locale sorts alike. */
const byPath = (a: SnapshotEntry, b: SnapshotEntry): number => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0);

export const sortEntries = (entries: readonly SnapshotEntry[]): readonly SnapshotEntry[] => [...entries].sort(byPath);

/** One JSON array a line: a path may hold anything but NUL, so no separator of our own is safe. */
export const treeText = (entries: readonly SnapshotEntry[]): string =>
  sortEntries(entries)
    .map((e) => `${JSON.stringify([e.path, e.link === undefined ? e.mode : 0, e.link === undefined ? e.size : 0, e.sha256 ?? "", e.link ?? ""])}\n`)
    .join("");
