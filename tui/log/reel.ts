/** Rows of blocks of lines, found and folded when they are looked at, and longer when their block is. What was looked at is not looked at again. */

import type { LogLine } from "../../cluster/viewer.ts";
import type { Filter } from "./filter.ts";
import { createFolder, type Folder, type Row } from "./fold.ts";
import { createLevels, type Level } from "./level.ts";

/** Rows in numbered blocks; those from `first()` on, before `end()`, are there. */
export type Reel = {
  readonly first: () => number;
  readonly end: () => number;
  readonly rows: (block: number) => readonly Row[];
};

/** Where lines are: a book, or pages. */
export type Blocks = {
  readonly firstBlock: () => number;
  readonly endBlock: () => number;
  readonly block: (number: number) => readonly LogLine[];
};

/** `lines`: a number may come to stand for another page. */
type Known = { readonly lines: readonly LogLine[]; readonly folder: Folder; readonly level: (line: LogLine) => Level; looked: number };

export function createReel(blocks: Blocks, matches: Filter["matches"]): Reel {
  const known = new Map<number, Known>();
  const forget = (): void => {
    const first = blocks.firstBlock();
    const end = blocks.endBlock();
    for (const number of known.keys()) if (number < first || number >= end) known.delete(number);
  };
  const begin = (number: number, lines: readonly LogLine[]): Known => {
    forget();
    const made = { lines, folder: createFolder(blocks.block(number - 1).at(-1)?.attempt ?? null), level: createLevels(), looked: 0 };
    known.set(number, made);
    return made;
  };
  return {
    first: blocks.firstBlock,
    end: blocks.endBlock,
    rows: (number) => {
      const lines = blocks.block(number);
      const before = known.get(number);
      const own = before?.lines === lines ? before : begin(number, lines);
      for (; own.looked < lines.length; own.looked += 1) {
        const line = lines[own.looked];
        if (line === undefined) break;
        const level = own.level(line);
        if (matches(line, level)) own.folder.push(line, level, own.looked);
      }
      return own.folder.rows;
    },
  };
}
