/** What the measured links make of a step: the time of one all-reduce of the gradients, and its share. */

import { formatBytes } from "../../view/bytes.ts";
import type { PairProbe } from "../check.ts";

/** Nobody has said how large the model is: an example that scales in the head. */
export const EXAMPLE_BYTES = 1024 ** 3;

export type Estimate = {
  readonly hosts: number;
  readonly bytes: number;
  /** The slowest way, which a ring goes at the pace of. */
  readonly slowest: { readonly from: string; readonly to: string; readonly bitsPerS: number };
  readonly allReduceMs: number;
};

/** A ring moves 2(n-1)/n of the bytes over every link (nccl-tests, PERFORMANCE.md); hosts stand for ranks, since between GPUs of a host it is faster. */
export const allReduceMs = (hosts: number, bytes: number, bitsPerS: number): number => ((2 * (hosts - 1)) / hosts) * ((bytes * 8) / bitsPerS) * 1000;

/** null: not every way between these hosts was measured, and the slowest may be among the others. */
export function estimate(pairs: readonly PairProbe[], bytes = EXAMPLE_BYTES): Estimate | null {
  const between = pairs.filter(({ from, to }) => from !== to);
  const hosts = new Set(between.flatMap(({ from, to }) => [from, to])).size;
  const slowest = between
    .map(({ from, to, bandwidth }) => ({ from, to, bitsPerS: bandwidth ?? 0 }))
    .reduce<Estimate["slowest"] | null>((least, way) => (least === null || way.bitsPerS < least.bitsPerS ? way : least), null);
  if (slowest === null || slowest.bitsPerS <= 0) return null;
  return { hosts, bytes, slowest, allReduceMs: allReduceMs(hosts, bytes, slowest.bitsPerS) };
}

/** Of a step that computes for `computeMs` and then waits for the all-reduce; overlap makes it less, never more. */
export const shareOfStep = (reduceMs: number, computeMs: number): number => reduceMs / (reduceMs + computeMs);

/** A computing time that makes the share of the wait easy to compare: nobody has measured a step yet. */
const STEP_MS = 1000;

/** For people, below the matrix. */
export function estimateLines({ bytes, slowest, allReduceMs: ms }: Estimate): readonly string[] {
  const share = Math.round(shareOfStep(ms, STEP_MS) * 100);
  return [
    `estimate: an all-reduce of ${formatBytes(bytes)} of gradients takes ${(ms / 1000).toFixed(1)} s or more`,
    `  (slowest way: ${slowest.from} to ${slowest.to}, ${(slowest.bitsPerS / 1e9).toFixed(2)} Gbit/s); of a step that computes 1 s it is ${share} %`,
  ];
}
