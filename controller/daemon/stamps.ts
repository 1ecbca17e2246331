/** When the bytes of a stored stream arrived: lines "offset ms", ten a second for weeks, so it is read piece by piece and sought from its end. */

import { statSync } from "node:fs";
import { readPiece } from "./read-piece.ts";

export type Stamp = { readonly offset: number; readonly at: number };

export type Stamps = {
  /** Goes to the last stamp that is `before`, which must hold for a beginning of them; its offset, 0 when there is none. */
  readonly seek: (before: (stamp: Stamp) => boolean) => Promise<number>;
  /** When the byte at `offset` arrived, and where another time begins. Offsets must not fall between calls. */
  readonly at: (offset: number) => Promise<{ readonly at: number; readonly until: number }>;
};

/** In bytes: some 200 stamps, and a dozen. */
const PIECE = 4 * 1024;
const PEEK = 512;

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

  /** Of the first stamp that begins after this byte. */
  const isBefore = async (byte: number, before: (stamp: Stamp) => boolean): Promise<boolean> => {
    const piece = await readPiece(path, byte, PEEK);
    const [first] = parseStamps(piece.subarray(piece.indexOf(10) + 1));
    return first !== undefined && before(first);
  };

  return {
    seek: async (before) => {
      const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
      let low = 0;
      let high = size;
      for (let back = PIECE; back < size && low === 0; back *= 2) {
        if (await isBefore(size - back, before)) low = size - back;
        else high = size - back;
      }
      while (high - low > PIECE) {
        const middle = Math.floor((low + high) / 2);
        if (await isBefore(middle, before)) low = middle;
        else high = middle;
      }
      position = low === 0 ? 0 : low + (await readPiece(path, low, PEEK)).indexOf(10) + 1;
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

/** A torn line, from a disk that was full, is no stamp. By hand: a page of a long log reads them by the hundred thousand. */
function parseStamps(bytes: Buffer): Stamp[] {
  const stamps: Stamp[] = [];
  let offset: number | null = null;
  let value = 0;
  let digits = 0;
  let isTorn = false;
  for (const byte of bytes) {
    if (byte >= 48 && byte <= 57) {
      value = value * 10 + byte - 48;
      digits += 1;
    } else if (byte === 32 && offset === null && digits > 0) {
      offset = value;
      value = digits = 0;
    } else if (byte === 10) {
      if (offset !== null && digits > 0 && !isTorn) stamps.push({ offset, at: value });
      offset = null;
      value = digits = 0;
      isTorn = false;
    } else isTorn = true;
  }
  return stamps;
}
