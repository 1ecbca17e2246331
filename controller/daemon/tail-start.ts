/** Where the last lines of a stored stream begin. */

import type { LogGap } from "../../cluster/viewer.ts";
import { readPiece } from "./read-piece.ts";

/** Looked back at most, in bytes of text: lines longer than this in all are cut at their beginning. */
const LOOK_BACK = 8 * 1024 * 1024;
const PIECE = 64 * 1024;

/** Offset from which `count` lines come before `end`, each gap counted as one; 0 or the farthest that was looked when there are fewer. */
export async function tailStart(path: string, end: number, count: number, gaps: readonly LogGap[]): Promise<number> {
  let seen = 0;
  let start = end;
  let boundary = end; // a newline just before it ends a line and begins none
  let looked = 0;
  for (let pos = end; pos > 0 && looked < LOOK_BACK; ) {
    const gap = gaps.findLast(({ from, to }) => from < pos && pos <= to);
    if (gap !== undefined) {
      if (boundary > gap.to && ++seen === count) return gap.to;
      if (++seen >= count) return gap.from;
      start = boundary = pos = gap.from;
      continue;
    }
    const from = Math.max(pos - PIECE, gaps.findLast(({ to }) => to < pos)?.to ?? 0, 0);
    const piece = await readPiece(path, from, pos - from);
    for (let k = piece.length - 1; k >= 0; k -= 1) {
      if (piece[k] !== 10 || from + k === boundary - 1) continue;
      start = from + k + 1;
      if (++seen === count) return start;
    }
    looked += pos - from;
    pos = from;
    if (pos === 0) return 0;
    if (looked >= LOOK_BACK && start === boundary) return pos;
  }
  return start;
}
