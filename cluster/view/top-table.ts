/** Hosts and ranks as tables, for `top`: plain lines, "-" where a number is not known. */

import { isOver, type RunState } from "../run/state.ts";
import { sanitiseWord } from "../sanitise.ts";
import type { Sample } from "../telemetry/sample.ts";
import { formatBytes } from "./bytes.ts";
import { fitTable } from "./fit-table.ts";
import { type GpuLine, gib, gpusOf, type HostReading, isStale, numberWord, troubleOf } from "./host-telemetry.ts";

/** What a narrow terminal does without, the least important first. */
const DROP = ["SWAP", "LOAD", "GPU W", "LEAST ROOM", "NET OUT", "WAITS", "NET IN"];

export function topLines(state: RunState, readings: readonly HostReading[], now: number, columns = Number.POSITIVE_INFINITY): readonly string[] {
  const ranks = readings.flatMap((reading) => rankRows(state, reading));
  const notes = readings.flatMap((reading) => [troubleOf(reading, now)].flatMap((text) => (text === "" ? [] : [`${reading.host}: ${text}`])));
  return [
    ...fitTable(
      [["HOST", "CPU", "LOAD", "MEMORY", "SWAP", "WAITS", "NET IN", "NET OUT", "LEAST ROOM", "GPUS", "GPU USE", "GPU W"], ...readings.map(hostRow)],
      columns,
      DROP,
    ),
    ...(ranks.length === 0 ? [] : ["", ...fitTable([["RANK", "HOST", "PID", "GPU", "USE", "MEMORY GiB", "POWER W"], ...ranks], columns, ["POWER W", "PID"])]),
    ...(notes.length === 0 ? [] : ["", ...notes.map(sanitiseWord)]),
  ];
}

function hostRow(reading: HostReading): readonly string[] {
  const { host, sample, rates = {} } = reading;
  if (sample === null || isStale(reading)) return [sanitiseWord(host), ...Array.from({ length: 11 }, () => "-")];
  const { cpuUse, cpus, load1, memoryTotalBytes: total, memoryAvailableBytes: free, swapUsedBytes } = sample.host;
  const speed = (way: "rx" | "tx"): string => {
    const all = Object.values(rates);
    return all.length === 0 ? "-" : `${formatBytes(Math.round(Math.max(...all.map((rate) => rate[way]))))}/s`;
  };
  const gpus = gpusOf(sample);
  const sum = (of: (line: GpuLine) => number | undefined): number | undefined => {
    const known = gpus.flatMap((line) => of(line) ?? []);
    return known.length === 0 ? undefined : known.reduce((all, one) => all + one, 0);
  };
  const use = sum(({ gpu }) => gpu.use);
  const known = gpus.filter(({ gpu }) => gpu.use !== undefined).length;
  return [
    host,
    cpuUse === undefined ? "-" : `${cpuUse.toFixed(0)}%${cpus === undefined ? "" : ` of ${cpus}`}`,
    numberWord(load1, 1),
    total === undefined || free === undefined ? "-" : `${formatBytes(total - free)} of ${formatBytes(total)}`,
    swapUsedBytes === undefined ? "-" : formatBytes(swapUsedBytes),
    waits(sample.host),
    speed("rx"),
    speed("tx"),
    leastRoom(sample),
    String(gpus.length),
    use === undefined ? "-" : `${(use / known).toFixed(0)}%`,
    numberWord(sum(({ gpu }) => gpu.powerW)),
  ].map(sanitiseWord);
}

/** What tasks waited for in the last 10 s, where it is worth a word. */
function waits({ cpuPressure, memoryPressure, ioPressure }: Sample["host"]): string {
  const all = [
    ["cpu", cpuPressure],
    ["mem", memoryPressure],
    ["io", ioPressure],
  ] as const;
  if (all.every(([, share]) => share === undefined)) return "-";
  return all.flatMap(([of, share]) => (share !== undefined && share >= 1 ? [`${of} ${share.toFixed(0)}%`] : [])).join(" ") || "none";
}

function leastRoom({ disks }: Sample): string {
  const [least] = Object.entries(disks)
    .flatMap(([mount, { freeBytes, totalBytes }]) =>
      freeBytes === undefined || totalBytes === undefined ? [] : [{ mount, freeBytes, share: freeBytes / totalBytes }],
    )
    .sort((a, b) => a.share - b.share);
  return least === undefined ? "-" : `${formatBytes(least.freeBytes)} ${least.mount}`;
}

function rankRows(state: RunState, reading: HostReading): readonly (readonly string[])[] {
  if (isOver(state)) return [];
  const gpus = reading.sample === null || isStale(reading) ? [] : gpusOf(reading.sample);
  return Object.values(state.ranks)
    .filter(({ host, exit }) => host === reading.host && exit === null)
    .sort((a, b) => a.rank - b.rank)
    .map(({ rank, host, pid }) => {
      const line = gpus.find(({ processes }) => processes.some((process) => process.pid === pid));
      const memory = line?.processes.find((process) => process.pid === pid)?.memoryMiB;
      const use = line?.gpu.use;
      return [
        `r${rank}`,
        sanitiseWord(host),
        `${pid}`,
        numberWord(line?.gpu.index),
        use === undefined ? "-" : `${use.toFixed(0)}%`,
        gib(memory),
        numberWord(line?.gpu.powerW),
      ];
    });
}
