/** GPUs of hosts as a table, for `gpus`: numbers that are known, "-" where they are not; below it what is the matter, and processes that are not ours. */

import { BAD_REASONS, reasonsIn, reasonWords } from "../nvidia/throttle.ts";
import { sanitiseWord } from "../sanitise.ts";
import type { GpuSample } from "../telemetry/sample.ts";
import { fitTable } from "./fit-table.ts";
import { type GpuLine, gib, gpusOf, type HostReading, isStale, numberWord, troubleOf } from "./host-telemetry.ts";

const HEAD = ["HOST", "GPU", "NAME", "USE", "MEMORY GiB", "POWER W", "TEMP", "SM MHz", "FOR", "STATE"];

/** What a narrow terminal does without, the least important first. */
const DROP = ["SM MHz", "NAME", "POWER W", "TEMP"];

export function gpuLines(readings: readonly HostReading[], now: number, columns = Number.POSITIVE_INFINITY): readonly string[] {
  const rows = readings.flatMap((reading) => (reading.sample === null ? [] : gpusOf(reading.sample).map((line) => rowOf(reading, line))));
  const notes = readings.flatMap((reading) => [troubleOf(reading, now)].flatMap((text) => (text === "" ? [] : [`${reading.host}: ${text}`])));
  const foreign = readings.flatMap((reading) =>
    reading.sample === null || isStale(reading) ? [] : gpusOf(reading.sample).flatMap((line) => foreignLines(reading.host, line)),
  );
  return [...(rows.length === 0 ? [] : fitTable([HEAD, ...rows], columns, DROP)), ...[...notes, ...foreign].map(sanitiseWord)];
}

function rowOf(reading: HostReading, { gpu, processes }: GpuLine): readonly string[] {
  const { use, memoryUsedMiB, memoryTotalMiB, powerW, powerLimitW, temperatureC, smMHz }: GpuSample = isStale(reading) ? {} : gpu;
  const pair = (a: string, b: string): string => (a === "-" && b === "-" ? "-" : `${a}/${b}`);
  const ours = processes.filter(({ owner }) => owner === "ours");
  const ranks = ours.flatMap(({ pid }) => reading.ranks.get(pid) ?? []).sort((a, b) => a - b);
  const runs = [...new Set(ours.flatMap(({ run }) => run ?? []))];
  return [
    reading.host,
    numberWord(gpu.index),
    gpu.name ?? "-",
    use === undefined ? "-" : `${use.toFixed(0)}%`,
    pair(gib(memoryUsedMiB), gib(memoryTotalMiB)),
    pair(numberWord(powerW), numberWord(powerLimitW)),
    temperatureC === undefined ? "-" : `${temperatureC.toFixed(0)} C`,
    numberWord(smMHz),
    isStale(reading)
      ? "-"
      : ranks.length > 0
        ? ranks.map((rank) => `r${rank}`).join(",")
        : runs.length > 0
          ? runs.join(",")
          : processes.length > 0
            ? "others"
            : "-",
    isStale(reading) ? "stale" : stateOf(gpu),
  ].map(sanitiseWord);
}

const DOWN = { lost: "LOST", "reset-required": "needs a reset", unknown: "does not answer" } as const;

/** What is the matter with a GPU in a few words, "ok" where nothing is. */
export function stateOf(gpu: GpuSample): string {
  if (gpu.down !== undefined) return DOWN[gpu.down];
  const bad = reasonsIn(gpu.reasons ?? 0).filter((reason) => BAD_REASONS.includes(reason));
  const words = [
    ...(bad.length > 0 ? [reasonWords(gpu.reasons ?? 0)] : []),
    ...(gpu.recovery !== undefined && gpu.recovery !== "None" ? [`driver advises: ${gpu.recovery}`] : []),
    ...((gpu.eccUncorrected ?? 0) > 0 ? [`${gpu.eccUncorrected} uncorrected ECC`] : []),
    ...(gpu.remapFailure === 1 ? ["row remapping failed"] : gpu.remapPending === 1 || gpu.retiredPending === 1 ? ["memory to be remapped at a reset"] : []),
    ...((gpu.nvlinksDown ?? 0) > 0 ? [`${gpu.nvlinksDown} of ${(gpu.nvlinks ?? 0) + (gpu.nvlinksDown ?? 0)} NVLinks down`] : []),
    ...(gpu.mig === 1 ? ["MIG"] : []),
    ...Object.entries(gpu.xids ?? {}).map(([code, count]) => `Xid ${code}${count > 1 ? ` x${count}` : ""}`),
  ];
  if (words.length > 0) return words.join(", ");
  return gpu.use === undefined && gpu.temperatureC === undefined ? "not known" : "ok";
}

function foreignLines(host: string, { gpu, processes }: GpuLine): readonly string[] {
  return processes
    .filter(({ owner }) => owner !== "ours")
    .map(({ pid, user, name, memoryMiB, owner }) => {
      const what = name === undefined ? "" : `, ${name}`;
      const memory = memoryMiB === undefined ? "" : `, ${gib(memoryMiB)} GiB`;
      return `${host} GPU ${gpu.index ?? "?"}: process ${pid} of ${user ?? "somebody who cannot be told here"}${what}${memory}${owner === "unknown" ? ", whose cannot be told" : ", not of this run"}`;
    });
}
