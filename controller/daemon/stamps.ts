/** When the bytes of a stored stream arrived: lines "offset ms", one a second for weeks, so it is read piece by piece and sought from its end. */

import { statSync } from "node:fs";
import { readPiece } from "./read-piece.ts";

export type Stamp = { readonly offset: number; readonly at: number };

export type Stamps = {
  /** Goes to the last stamp that is `before`, which must hold for a beginning of them; its offset, 0 when there is none. */
  readonly seek: (before: (stamp: Stamp) => boolean) => Promise<number>;
  /** When the byte at `offset` arrived, and where another time begins. Offsets must not fall between calls. */
  readonly at: (offset: number) => Promise<{ readonly at: number; readonly until: number }>;
};

/** In bytes: some 3000 stamps. */
const PIECE = 64 * 1024;

export function openStamps(path: string): Stamps {
  let queue: Stamp[] = [];
  let next = 0;
  let current: Stamp | null = null;
  let position = 0;

  /** false: nothing more is there yet. */
  const refill = async (): Promise<boolean> => {
    const piece = await readPiece(path, position, PIECE);
    const whole = piece.lastIndexOf(10) + 1;
    position += whole;
    queue = parseStamps(piece.subarray(0, whole));
    next = 0;
    return whole > 0;
  };

  return {
    seek: async (before) => {
      const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
      for (let back = PIECE; ; back *= 2) {
        position = Math.max(0, size - back);
        if (position === 0) break;
        const piece = await readPiece(path, position, PIECE);
        const [first] = parseStamps(piece.subarray(piece.indexOf(10) + 1));
        position += piece.indexOf(10) + 1;
        if (first !== undefined && before(first)) break;
      }
      current = null;
      queue = [];
      for (next = 0; ; ) {
        const stamp = queue[next];
        if (stamp === undefined) {
          if (!(await refill())) break;
        } else if (before(stamp)) {
          current = stamp;
          next += 1;
        } else break;
      }
      return current?.offset ?? 0;
    },
    at: async (offset) => {
      for (;;) {
        const stamp = queue[next];
        if (stamp === undefined) {
          if (!(await refill())) return { at: current?.at ?? 0, until: Number.POSITIVE_INFINITY };
        } else if (stamp.offset > offset) return { at: current?.at ?? stamp.at, until: stamp.offset };
        else {
          current = stamp;
          next += 1;
        }
      }
    },
  };
}

/** A torn line, from a disk that was full, is no stamp. */
function parseStamps(bytes: Buffer): Stamp[] {
  return bytes
    .toString("latin1")
    .split("\n")
    .flatMap((line) => {
      const [, offset, at] = /^(\d+) (\d+)$/.exec(line) ?? [];
      return offset === undefined || at === undefined ? [] : [{ offset: Number(offset), at: Number(at) }];
    });
}
