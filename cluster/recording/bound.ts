/** Keeps a recording within bounds: of what is too much the beginning and the end stay, and what went is said. */

import type { LogLine } from "../viewer.ts";
import type { TimedPoint } from "./recording.ts";

/** Of what is kept, the share of the beginning. */
const HEAD_SHARE = 0.2;

/** `left`: lines that are not kept. */
export type Keeper = { readonly push: (line: LogLine) => void; readonly end: () => { readonly lines: readonly LogLine[]; readonly left: number } };

/** `most`: characters. In place of what went stands a gap. */
export function keepLines(most: number): Keeper {
  const head: LogLine[] = [];
  let headSize = 0;
  let tail: LogLine[] = [];
  let from = 0;
  let tailSize = 0;
  let left = 0;
  let leftSize = 0;
  /** As the file has it, about. */
  const sizeOf = ({ text, host }: LogLine): number => text.length + host.length + 80;
  return {
    push: (line) => {
      const size = sizeOf(line);
      if (left === 0 && tail.length === 0 && headSize + size <= most * HEAD_SHARE) {
        head.push(line);
        headSize += size;
        return;
      }
      tail.push(line);
      tailSize += size;
      for (let oldest = tail[from]; tailSize > most * (1 - HEAD_SHARE) && oldest !== undefined && from < tail.length - 1; oldest = tail[from]) {
        tailSize -= sizeOf(oldest);
        from += 1;
        left += 1;
        leftSize += oldest.text.length;
      }
      if (from > 10_000 && from > tail.length / 2) {
        tail = tail.slice(from);
        from = 0;
      }
    },
    end: () => {
      const kept = tail.slice(from);
      const first = kept[0];
      if (left === 0 || first === undefined) return { lines: [...head, ...kept], left };
      const gap = { from: 0, to: leftSize, why: `${left} lines are not in this recording` };
      return { lines: [...head, { ...first, rank: null, stream: "launcher", text: "", gap }, ...kept], left };
    },
  };
}

/** Of one host, the oldest first: the newest half stays, of those before every so manyth. */
export function thinPoints(points: readonly TimedPoint[], most: number): readonly TimedPoint[] {
  if (points.length <= most) return points;
  const recent = Math.ceil(most / 2);
  const older = points.slice(0, points.length - recent);
  const every = Math.ceil(older.length / Math.max(1, most - recent));
  return [...older.filter((_, k) => k % every === 0), ...points.slice(points.length - recent)];
}
