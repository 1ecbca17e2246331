/** Going from row to row over blocks, some of which are empty. */

import type { Row } from "./fold.ts";
import type { Reel } from "./reel.ts";

export type Ref = { readonly block: number; readonly index: number };

export const rowAt = (reel: Reel, { block, index }: Ref): Row | null => (block < reel.first() ? null : (reel.rows(block)[index] ?? null));

export const lastRef = (reel: Reel): Ref | null => before(reel, { block: reel.end(), index: 0 });
export const firstRef = (reel: Reel): Ref | null => after(reel, { block: reel.first(), index: -1 });

export function before(reel: Reel, { block, index }: Ref): Ref | null {
  if (index > 0 && block >= reel.first()) return { block, index: index - 1 };
  for (let k = block - 1; k >= reel.first(); k -= 1) {
    const { length } = reel.rows(k);
    if (length > 0) return { block: k, index: length - 1 };
  }
  return null;
}

export function after(reel: Reel, { block, index }: Ref): Ref | null {
  if (block >= reel.first() && index + 1 < reel.rows(block).length) return { block, index: index + 1 };
  for (let k = Math.max(block + 1, reel.first()); k < reel.end(); k += 1) if (reel.rows(k).length > 0) return { block: k, index: 0 };
  return null;
}

/** Rows after this one. */
export function countAfter(reel: Reel, { block, index }: Ref): number {
  let count = Math.max(0, reel.rows(block).length - index - 1);
  for (let k = block + 1; k < reel.end(); k += 1) count += reel.rows(k).length;
  return count;
}

/** The row of the line `place` of a block, or the nearest before it, or else after it: rows are others when the filter is. */
export function nearest(reel: Reel, block: number, place: number): Ref | null {
  const index = block < reel.first() ? -1 : reel.rows(block).findLastIndex((row) => row.place <= place);
  return index >= 0 ? { block, index } : (before(reel, { block, index: 0 }) ?? after(reel, { block, index: -1 }));
}

/** The next row (way 1), or the one before (way -1), that `wanted` holds for. */
export function seek(reel: Reel, from: Ref, way: 1 | -1, wanted: (row: Row) => boolean): Ref | null {
  const step = way === 1 ? after : before;
  for (let ref = step(reel, from); ref !== null; ref = step(reel, ref)) {
    const row = rowAt(reel, ref);
    if (row !== null && wanted(row)) return ref;
  }
  return null;
}
