/** The lines of a run that a viewer holds, merged over ranks in the order they came; the oldest go, and are asked for anew (tui/log/pages.ts). */

import type { LogLine } from "../cluster/viewer.ts";

export type LogBook = {
  readonly push: (line: LogLine) => void;
  /** The last `count` in the order they came, newest last. */
  readonly tail: (count: number) => readonly LogLine[];
  /** The last line of a rank; null: it has written none. */
  readonly lastOf: (rank: number) => LogLine | null;
  /** Lines lie in numbered blocks: those from `firstBlock` on, before `endBlock`, are held; only the last one grows. */
  readonly firstBlock: () => number;
  readonly endBlock: () => number;
  /** None of a block that is not held. */
  readonly block: (number: number) => readonly LogLine[];
};

/** A block is full with so many lines, or characters. */
const BLOCK_LINES = 4096;
const BLOCK_CHARS = 2 ** 20;
/** Held at most, besides the block that grows. */
const KEPT_LINES = 16 * BLOCK_LINES;
const KEPT_CHARS = 32 * BLOCK_CHARS;

type Block = { readonly lines: LogLine[]; chars: number };

export function createLogBook(): LogBook {
  const blocks: Block[] = [{ lines: [], chars: 0 }];
  let first = 0;
  let lines = 0;
  let chars = 0;
  const last = new Map<number, LogLine>();

  const newest = (): Block => {
    const block = blocks[blocks.length - 1];
    if (block !== undefined && block.lines.length < BLOCK_LINES && block.chars < BLOCK_CHARS) return block;
    const next: Block = { lines: [], chars: 0 };
    blocks.push(next);
    while (blocks.length > 1 && (lines > KEPT_LINES || chars > KEPT_CHARS)) {
      const gone = blocks.shift();
      first += 1;
      lines -= gone?.lines.length ?? 0;
      chars -= gone?.chars ?? 0;
    }
    return next;
  };

  return {
    push: (line) => {
      const block = newest();
      block.lines.push(line);
      block.chars += line.text.length;
      lines += 1;
      chars += line.text.length;
      if (line.rank !== null && line.text.trim() !== "") last.set(line.rank, line);
    },
    tail: (count) => {
      const parts: (readonly LogLine[])[] = [];
      let left = count;
      for (let k = blocks.length - 1; k >= 0 && left > 0; k -= 1) {
        const part = (blocks[k]?.lines ?? []).slice(-left);
        parts.unshift(part);
        left -= part.length;
      }
      return parts.flat();
    },
    lastOf: (rank) => last.get(rank) ?? null,
    firstBlock: () => first,
    endBlock: () => first + blocks.length,
    block: (number) => blocks[number - first]?.lines ?? [],
  };
}
