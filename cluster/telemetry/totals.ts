/** What a run has taken of a host's GPUs: time and energy, summed over its samples. Power that is not known counts for no energy, and is said. */

import type { Sample } from "./sample.ts";

export type Totals = {
  /** Number of the last sample in it. */
  readonly seq: number;
  readonly at: number;
  readonly gpuSeconds: number;
  /** Of those, with known power. */
  readonly measuredSeconds: number;
  readonly joules: number;
  readonly powerW: Readonly<Record<string, number>>;
};

export const NO_TOTALS: Totals = { seq: -1, at: 0, gpuSeconds: 0, measuredSeconds: 0, joules: 0, powerW: {} };

/** Longer than between two points of an agent that was without its controller for days: nobody knows what was in between. */
const GAP_MS = 90_000;

/** `gpus`: UUIDs of those that the run holds; empty while it holds none. */
export function addSample(totals: Totals, seq: number, at: number, sample: Sample, gpus: ReadonlySet<string>): Totals {
  if (seq <= totals.seq) return totals;
  const powerW = Object.fromEntries([...gpus].flatMap((uuid) => (sample.gpus[uuid]?.powerW === undefined ? [] : [[uuid, sample.gpus[uuid].powerW]])));
  const seconds = totals.at > 0 && at > totals.at && at - totals.at <= GAP_MS ? (at - totals.at) / 1000 : 0;
  const measured = Object.keys(powerW).filter((uuid) => totals.powerW[uuid] !== undefined);
  return {
    seq,
    at,
    gpuSeconds: totals.gpuSeconds + seconds * gpus.size,
    measuredSeconds: totals.measuredSeconds + seconds * measured.length,
    joules: totals.joules + seconds * measured.reduce((sum, uuid) => sum + ((powerW[uuid] ?? 0) + (totals.powerW[uuid] ?? 0)) / 2, 0),
    powerW,
  };
}

export type RunTotals = {
  readonly gpuHours: number;
  /** null: no power is known. */
  readonly energyKwh: number | null;
  /** Of the GPU hours, those with known power. */
  readonly measuredShare: number | null;
};

export function sumTotals(all: readonly Pick<Totals, "gpuSeconds" | "measuredSeconds" | "joules">[]): RunTotals {
  const sum = (key: "gpuSeconds" | "measuredSeconds" | "joules"): number => all.reduce((n, one) => n + one[key], 0);
  const [seconds, measured] = [sum("gpuSeconds"), sum("measuredSeconds")];
  return { gpuHours: seconds / 3600, energyKwh: measured === 0 ? null : sum("joules") / 3.6e6, measuredShare: seconds === 0 ? null : measured / seconds };
}
