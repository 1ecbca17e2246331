/** Reads one stored stream, again and again from where it was left: whole lines, and each gap at its place. Never the file in memory. */

import { statSync } from "node:fs";
import type { LogLine, LogQuery } from "../../cluster/viewer.ts";
import { gapsFile, readGaps, type StoredGap } from "./gaps.ts";
import { feedLines, parseStream } from "./line-feed.ts";
import { readPiece } from "./read-piece.ts";
import { openStamps } from "./stamps.ts";
import { tailStart } from "./tail-start.ts";

export type Source = { readonly host: string; readonly stream: string; readonly path: string };

export type LogReader = {
  /** Lines that end before the byte `until`, from the last call's on. */
  readonly read: (until: number) => AsyncGenerator<LogLine>;
  /** What was left without a newline. */
  readonly end: () => readonly LogLine[];
};

const PIECE = 64 * 1024;

/** `from`: how much of what is there is wanted, at the least; null: all. */
export function readStream({ host, stream, path }: Source, size: number, from: Pick<LogQuery, "since" | "last"> | null): LogReader {
  const stamps = openStamps(`${path}.at`);
  const lines: LogLine[] = [];
  const feed = feedLines((line) => lines.push(line));
  let offset = 0;
  let hasBegun = from === null;
  let at = 0;
  let gaps: readonly StoredGap[] = [];
  let gapsSize = 0;

  const lookForGaps = (): void => {
    const now = statSync(gapsFile(path), { throwIfNoEntry: false })?.size ?? 0;
    if (now !== gapsSize) gaps = readGaps(path, stream);
    gapsSize = now;
  };

  const begin = async (since: number | null, last: number | null): Promise<number> => {
    let start = 0;
    // The line that was open then may end later: it is told whole.
    if (since !== null) start = await tailStart(path, await stamps.seek((stamp) => stamp.at < since), 1, gaps);
    // One more, for a line that has no end yet.
    if (last !== null) start = Math.max(start, await tailStart(path, size, last + 1, gaps));
    await stamps.seek((stamp) => stamp.offset <= start);
    return start;
  };

  async function* read(until: number): AsyncGenerator<LogLine> {
    lookForGaps();
    if (!hasBegun) offset = await begin(from?.since ?? null, from?.last ?? null);
    hasBegun = true;
    while (offset < until) {
      const here = offset;
      const gap = gaps.find((one) => one.from <= here && here < one.to);
      if (gap !== undefined) {
        feed.flush(at);
        yield* lines.splice(0);
        const { from: first, to, why } = gap;
        at = Math.max(at, gap.at);
        offset = to;
        yield { host, ...parseStream(stream), at, text: "", gap: { from: first, to, why } };
        continue;
      }
      const end = Math.min(until, here + PIECE, gaps.find((one) => one.from > here)?.from ?? until);
      let rest = await readPiece(path, here, end - here);
      if (rest.length === 0) return; // the file was taken away
      while (rest.length > 0) {
        const stamp = await stamps.at(offset);
        const part = rest.subarray(0, Math.min(rest.length, stamp.until - offset));
        at = stamp.at;
        feed.push(host, stream, part, at);
        offset += part.length;
        rest = rest.subarray(part.length);
      }
      yield* lines.splice(0);
    }
  }

  return {
    read,
    end: () => {
      feed.flush(at);
      return lines.splice(0);
    },
  };
}
