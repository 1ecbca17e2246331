/** Reads one stored stream, again and again from where it was left: whole lines, and each gap at its place. Never the file in memory. */

import { statSync } from "node:fs";
import type { LogLine, LogQuery } from "../../cluster/viewer.ts";
import { gapsFile, readGaps, type StoredGap } from "./gaps.ts";
import { feedLines, parseStream } from "./line-feed.ts";
import { readPiece } from "./read-piece.ts";
import { openStamps } from "./stamps.ts";
import { tailStart } from "./tail-start.ts";

export type Source = { readonly host: string; readonly stream: string; readonly path: string };

/** `to`: the byte after its end. */
export type ReadLine = LogLine & { to?: number };

export type LogReader = {
  /** Lines that end before the byte `until`, from the last call's on. */
  readonly read: (until: number) => AsyncGenerator<ReadLine>;
  /** What was left without a newline. */
  readonly end: () => readonly ReadLine[];
  /** Where the first of them began. */
  readonly begun: () => number;
};

/** How much of what is there is wanted, at the least: from a byte, or since a time and so many last lines; null: all. */
export type From = { readonly byte: number } | Pick<LogQuery, "since" | "last"> | null;

const PIECE = 64 * 1024;

/** `isPlaced`: each line says where it ends, and a gap has the time of what was before it, so that times do not fall. */
export function readStream({ host, stream, path }: Source, size: number, from: From, isPlaced = false): LogReader {
  const stamps = openStamps(`${path}.at`);
  const lines: ReadLine[] = [];
  const feed = feedLines((line) => lines.push(line));
  let offset = 0;
  let hasBegun = from === null;
  let begun = 0;
  let at = 0;
  let gaps: readonly StoredGap[] = [];
  let gapsSize = 0;

  const lookForGaps = (): void => {
    const now = statSync(gapsFile(path), { throwIfNoEntry: false })?.size ?? 0;
    if (now !== gapsSize) gaps = readGaps(path, stream);
    gapsSize = now;
  };

  const flush = (): void => {
    const before = lines.length;
    feed.flush(at);
    const [line] = lines.slice(before);
    if (isPlaced && line !== undefined) line.to = offset;
  };

  const begin = async (since: number | null, last: number | null): Promise<number> => {
    let start = 0;
    // The line that was open then may end later: it is told whole.
    if (since !== null) start = await tailStart(path, await stamps.seek((stamp) => stamp.at < since), 1, gaps);
    // One more, for a line that has no end yet.
    if (last !== null) start = Math.max(start, await tailStart(path, size, last + 1, gaps));
    return start;
  };

  async function* read(until: number): AsyncGenerator<ReadLine> {
    lookForGaps();
    if (!hasBegun && from !== null) {
      begun = offset = "byte" in from ? from.byte : await begin(from.since, from.last);
      await stamps.seek((stamp) => stamp.offset <= begun);
    }
    hasBegun = true;
    while (offset < until) {
      const here = offset;
      const gap = gaps.find((one) => one.from <= here && here < one.to);
      if (gap !== undefined) {
        flush();
        yield* lines.splice(0);
        const { from: first, to, why } = gap;
        at = isPlaced ? (await stamps.at(here)).at : Math.max(at, gap.at);
        offset = to;
        yield { host, ...parseStream(stream), at, text: "", gap: { from: first, to, why }, ...(isPlaced ? { to } : {}) };
        continue;
      }
      const end = Math.min(until, here + PIECE, gaps.find((one) => one.from > here)?.from ?? until);
      let rest = await readPiece(path, here, end - here);
      if (rest.length === 0) return; // the file was taken away
      while (rest.length > 0) {
        const stamp = await stamps.at(offset);
        const part = rest.subarray(0, Math.min(rest.length, stamp.until - offset));
        at = stamp.at;
        const before = lines.length;
        feed.push(host, stream, part, at);
        if (isPlaced) place(lines, before, part, offset);
        offset += part.length;
        rest = rest.subarray(part.length);
      }
      yield* lines.splice(0);
    }
  }

  return {
    read,
    end: () => {
      flush();
      return lines.splice(0);
    },
    begun: () => begun,
  };
}

/** Those from `first` on ended in `part`, which begins at `offset`. */
function place(lines: readonly ReadLine[], first: number, part: Buffer, offset: number): void {
  let end = -1;
  for (const line of lines.slice(first)) {
    end = part.indexOf(10, end + 1);
    line.to = offset + end + 1;
  }
}
