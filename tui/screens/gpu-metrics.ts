/** What the GPU screen can show of each GPU, and when one differs from its peers so that somebody should look. */

import { median } from "../../cluster/steps/pace.ts";
import type { GpuSample } from "../../cluster/telemetry/sample.ts";
import { gib, gpusOf, type HostReading, isStale, numberWord } from "../../cluster/view/host-telemetry.ts";

export type Metric = {
  readonly title: string;
  readonly unit: string;
  /** What is drawn and compared; undefined: not known. */
  readonly of: (gpu: GpuSample) => number | undefined;
  /** In the grid, at most five columns. */
  readonly cell: (gpu: GpuSample) => string;
  /** In words, with its unit and its bound. */
  readonly full: (gpu: GpuSample) => string;
  /** Ends of the scale. */
  readonly scale: (gpu: GpuSample) => readonly [least: number, most: number];
  /** In a word; null: it is like its peers. */
  readonly odd: (gpu: GpuSample, peer: number | undefined) => string | null;
};

const whole = (value: number | undefined): string => numberWord(value);
const withUnit = (value: number | undefined, unit: string, bound?: number): string =>
  value === undefined ? "-" : `${value.toFixed(0)}${bound === undefined ? "" : ` of ${bound.toFixed(0)}`} ${unit}`;
const mibAsGib = (mib: number | undefined): number | undefined => (mib === undefined ? undefined : mib / 1024);
const links = ({ nvlinks, nvlinksDown }: GpuSample): number | undefined =>
  nvlinks === undefined && nvlinksDown === undefined ? undefined : (nvlinks ?? 0) + (nvlinksDown ?? 0);

export const METRICS: readonly [Metric, ...Metric[]] = [
  {
    title: "use",
    unit: "%",
    of: ({ use }) => use,
    cell: ({ use }) => whole(use),
    full: ({ use }) => withUnit(use, "%"),
    scale: () => [0, 100],
    odd: ({ use }, peer) => (use !== undefined && peer !== undefined && use < peer - 25 ? "little use" : null),
  },
  {
    title: "memory",
    unit: "GiB",
    of: ({ memoryUsedMiB }) => mibAsGib(memoryUsedMiB),
    cell: ({ memoryUsedMiB }) => numberWord(mibAsGib(memoryUsedMiB)),
    full: ({ memoryUsedMiB, memoryTotalMiB }) =>
      memoryUsedMiB === undefined ? "-" : `${gib(memoryUsedMiB)}${memoryTotalMiB === undefined ? "" : ` of ${gib(memoryTotalMiB)}`} GiB`,
    scale: ({ memoryTotalMiB = 81_920 }) => [0, memoryTotalMiB / 1024],
    odd: ({ memoryUsedMiB, memoryTotalMiB }, peer) =>
      memoryUsedMiB !== undefined && memoryTotalMiB !== undefined && peer !== undefined && Math.abs(memoryUsedMiB - 1024 * peer) > 0.15 * memoryTotalMiB
        ? memoryUsedMiB > 1024 * peer
          ? "more memory"
          : "less memory"
        : null,
  },
  {
    title: "power",
    unit: "W",
    of: ({ powerW }) => powerW,
    cell: ({ powerW }) => whole(powerW),
    full: ({ powerW, powerLimitW }) => withUnit(powerW, "W", powerLimitW),
    scale: ({ powerLimitW = 700 }) => [0, powerLimitW],
    odd: ({ powerW }, peer) => (powerW !== undefined && peer !== undefined && peer >= 50 && powerW < 0.6 * peer ? "low power" : null),
  },
  {
    title: "temperature",
    unit: "C",
    of: ({ temperatureC }) => temperatureC,
    cell: ({ temperatureC }) => whole(temperatureC),
    full: ({ temperatureC }) => withUnit(temperatureC, "C"),
    scale: () => [20, 100],
    odd: ({ temperatureC }, peer) => (temperatureC !== undefined && peer !== undefined && temperatureC > peer + 15 ? "hot" : null),
  },
  {
    title: "clock",
    unit: "MHz",
    of: ({ smMHz }) => smMHz,
    cell: ({ smMHz }) => whole(smMHz),
    full: ({ smMHz, smMaxMHz }) => withUnit(smMHz, "MHz", smMaxMHz),
    scale: ({ smMaxMHz = 2000 }) => [0, smMaxMHz],
    odd: ({ smMHz }, peer) => (smMHz !== undefined && peer !== undefined && smMHz < 0.8 * peer ? "slow clock" : null),
  },
  {
    title: "ECC",
    unit: "uncorrected errors",
    of: ({ eccUncorrected }) => eccUncorrected,
    cell: ({ eccUncorrected }) => whole(eccUncorrected),
    full: ({ eccUncorrected, eccCorrected }) =>
      eccUncorrected === undefined && eccCorrected === undefined ? "-" : `${whole(eccUncorrected)} uncorrected, ${whole(eccCorrected)} corrected`,
    scale: () => [0, 10],
    odd: ({ eccUncorrected = 0 }) => (eccUncorrected > 0 ? "ECC errors" : null),
  },
  {
    title: "NVLink",
    unit: "links that work",
    of: ({ nvlinks }) => nvlinks,
    cell: ({ nvlinks }) => whole(nvlinks),
    full: (gpu) =>
      links(gpu) === undefined ? "-" : `${whole(gpu.nvlinks)} of ${links(gpu)} links work${gpu.nvlinkErrors ? `, ${gpu.nvlinkErrors} errors` : ""}`,
    scale: (gpu) => [0, links(gpu) ?? 18],
    odd: ({ nvlinks, nvlinksDown = 0 }, peer) =>
      nvlinksDown > 0 ? "links down" : nvlinks !== undefined && peer !== undefined && nvlinks < peer ? "fewer links" : null,
  },
];

/** The median of GPUs of one kind: kind and title of the metric → value. Of fewer than three there is none. */
export type Peers = ReadonlyMap<string, number>;

const keyOf = (gpu: GpuSample, { title }: Metric): string => `${gpu.name ?? ""}\n${title}`;
export const peerOf = (peers: Peers, gpu: GpuSample, metric: Metric): number | undefined => peers.get(keyOf(gpu, metric));

export function peersOf(readings: readonly HostReading[]): Peers {
  const values = new Map<string, number[]>();
  for (const reading of readings) {
    if (reading.sample === null || isStale(reading)) continue;
    for (const { gpu } of gpusOf(reading.sample)) {
      for (const metric of METRICS) {
        const value = metric.of(gpu);
        if (value === undefined) continue;
        const key = keyOf(gpu, metric);
        const known = values.get(key);
        if (known === undefined) values.set(key, [value]);
        else known.push(value);
      }
    }
  }
  return new Map([...values].flatMap(([key, own]) => (own.length < 3 ? [] : [[key, median(own)] as const])));
}

/** All that is odd about a GPU, in a few words each. */
export const oddities = (gpu: GpuSample, peers: Peers): readonly string[] => [
  ...(gpu.down === undefined ? [] : [{ lost: "LOST", "reset-required": "needs a reset", unknown: "does not answer" }[gpu.down]]),
  ...METRICS.flatMap((metric) => metric.odd(gpu, peerOf(peers, gpu, metric)) ?? []),
];
