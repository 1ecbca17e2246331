/** Which rows are seen: as many as fit, following the end, or around a chosen one without moving more than it must. */

import type { Row } from "./fold.ts";
import type { Reel } from "./reel.ts";
import { after, before, lastRef, nearest, type Ref, rowAt } from "./walk.ts";

export type Seen = { readonly ref: Ref; readonly row: Row };

const order = (a: Ref, b: Ref): number => a.block - b.block || a.index - b.index;

/** `top`: the first that was seen before; `chosen` null: the end is followed. `heightOf` is at least 1 and at most `height`. */
export function windowOf(reel: Reel, top: Ref | null, chosen: Ref | null, height: number, heightOf: (row: Row) => number): readonly Seen[] {
  const here = chosen === null || rowAt(reel, chosen) !== null ? chosen : nearest(reel, chosen.block, chosen.index);
  if (here === null) return upFrom(reel, lastRef(reel), height, heightOf);
  const start = top === null || rowAt(reel, top) === null || order(here, top) < 0 ? here : top;
  const seen = downFrom(reel, start, height, heightOf);
  const last = seen.at(-1);
  if (last === undefined || order(last.ref, here) < 0) return upFrom(reel, here, height, heightOf);
  const used = seen.reduce((sum, { row }) => sum + heightOf(row), 0);
  // A page that ends early shows what is before it.
  return used < height && after(reel, last.ref) === null ? upFrom(reel, last.ref, height, heightOf) : seen;
}

function downFrom(reel: Reel, start: Ref, height: number, heightOf: (row: Row) => number): Seen[] {
  const seen: Seen[] = [];
  let left = height;
  for (let ref: Ref | null = start; ref !== null; ref = after(reel, ref)) {
    const row = rowAt(reel, ref);
    if (row === null || heightOf(row) > left) break;
    seen.push({ ref, row });
    left -= heightOf(row);
  }
  return seen;
}

function upFrom(reel: Reel, end: Ref | null, height: number, heightOf: (row: Row) => number): Seen[] {
  const seen: Seen[] = [];
  let left = height;
  for (let ref = end; ref !== null; ref = before(reel, ref)) {
    const row = rowAt(reel, ref);
    if (row === null || heightOf(row) > left) break;
    seen.unshift({ ref, row });
    left -= heightOf(row);
  }
  const first = seen[0];
  // Where the next one above is too high, there may be room below.
  return left === 0 || first === undefined ? seen : downFrom(reel, first.ref, height, heightOf);
}
