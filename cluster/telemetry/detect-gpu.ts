/** What the GPUs of a run show that somebody should look at. A number that is not known says nothing. */

import { type Reason, reasonsIn, reasonWords } from "../nvidia/throttle.ts";
import { xidOf } from "../nvidia/xid.ts";
import type { AboutHost } from "./about.ts";
import type { Reading } from "./condition.ts";
import type { GpuSample, Sample } from "./sample.ts";

/** Percent: less is no work. */
const IDLE_USE = 5;
const SPIN_USE = 95;
/** Of the limit: a kernel that only waits draws about a third, one that computes most of it. */
const SPIN_POWER = 0.35;
/** Steps that came within this say that nothing hangs. */
const STILL_MS = 60_000;
/** Before it a run loads, compiles and warms up. */
const WARM_MS = 120_000;
/** Full, and not full any more: torch keeps what it had. */
const FULL = 0.98;
const NOT_FULL = 0.95;
/** Of the median of GPUs of its kind. */
const SLOW_CLOCK = 0.8;
const CORRECTED = 100;

/** What a GPU had counted when it was first seen: of older errors this run knows nothing. */
export type GpuBase = { readonly corrected: number | null; readonly uncorrected: number | null; readonly xids: Readonly<Record<string, number>> | null };

export const baseOf = (gpu: GpuSample): GpuBase => ({ corrected: gpu.eccCorrected ?? null, uncorrected: gpu.eccUncorrected ?? null, xids: gpu.xids ?? null });

export function detectGpus(sample: Sample, about: AboutHost, bases: ReadonlyMap<string, GpuBase>): readonly Reading[] {
  const each = about.gpus.flatMap((uuid) => {
    const gpu = sample.gpus[uuid];
    return gpu === undefined ? [] : [{ uuid, gpu }];
  });
  return [...each.flatMap(({ uuid, gpu }) => ofGpu(uuid, gpu, about, bases.get(uuid))), ...ofAll(each, about), ...taken(sample, about)];
}

type At = { readonly uuid: string; readonly gpu: GpuSample };

/** GPU 3 of gpu-b (rank 11) */
const nameOf = ({ uuid, gpu }: At, { host, rankOf }: AboutHost): string => {
  const rank = rankOf.get(uuid);
  return `GPU ${gpu.index ?? uuid} of ${host}${rank === undefined ? "" : ` (rank ${rank})`}`;
};

function ofGpu(uuid: string, gpu: GpuSample, about: AboutHost, base: GpuBase | undefined): Reading[] {
  const name = nameOf({ uuid, gpu }, about);
  const say = (code: string, isBad: boolean | null, text: string, what = uuid): Reading => ({
    ...{ code, what, isBad, text: `${name} ${text}`, host: about.host },
    ...{ rank: about.rankOf.get(uuid) ?? null, gpu: uuid },
  });
  if (gpu.down !== undefined) return [say("GPU_GONE", true, { lost: "is lost", "reset-required": "must be reset", unknown: "does not answer" }[gpu.down])];
  const { reasons, temperatureC, smMHz, smMaxMHz, memoryUsedMiB, memoryTotalMiB, use } = gpu;
  const clock = smMHz === undefined ? "" : `, ${smMHz} ${smMaxMHz === undefined ? "" : `of ${smMaxMHz} `}MHz`;
  const full = memoryUsedMiB === undefined || memoryTotalMiB === undefined || memoryTotalMiB === 0 ? null : memoryUsedMiB / memoryTotalMiB;
  const readings = [say("GPU_GONE", false, "")];
  if (reasons !== undefined) {
    const has = (reason: Reason): boolean => reasonsIn(reasons).includes(reason);
    const isHot = has("hwThermal") || has("swThermal");
    const heat = temperatureC === undefined ? "" : ` at ${temperatureC} °C`;
    readings.push(say("GPU_TOO_HOT", isHot, `is slowed down${heat}: ${reasonWords(reasons)}${clock}`));
    const isBraked = has("hwPowerBrake") || (has("hwSlowdown") && !isHot);
    readings.push(say("GPU_POWER_BRAKE", isBraked, `is slowed down: ${reasonWords(reasons)}${clock}`));
  }
  if (full !== null)
    readings.push(say("GPU_MEMORY_FULL", full >= FULL ? true : full < NOT_FULL ? false : null, `has ${Math.round(full * 100)} % of its memory in use`));
  return [...readings, ...errors(gpu, base, say), ...slower(uuid, gpu, about, say, use)];
}

type Say = (code: string, isBad: boolean | null, text: string, what?: string) => Reading;

function errors(gpu: GpuSample, base: GpuBase | undefined, say: Say): Reading[] {
  const grown = (now: number | undefined, then: number | null | undefined): number => (now === undefined || then == null ? 0 : now - then);
  const uncorrected = grown(gpu.eccUncorrected, base?.uncorrected);
  const corrected = grown(gpu.eccCorrected, base?.corrected);
  const words = [
    ...(uncorrected > 0 ? [`made ${uncorrected} uncorrected memory errors since the run began`] : []),
    ...(corrected >= CORRECTED ? [`corrected ${corrected} memory errors since the run began`] : []),
    ...(gpu.remapFailure === 1 ? ["could not replace a row of its memory"] : []),
  ];
  const xids = Object.entries(gpu.xids ?? {}).filter(
    ([code, count]) => base?.xids != null && count > (base.xids[code] ?? 0) && xidOf(Number(code)).action !== "none",
  );
  return [
    say("GPU_ECC_GROWS", words.length > 0, words.join(" and ")),
    ...xids.map(([code]) =>
      say("GPU_XID", true, `reported Xid ${code}, ${xidOf(Number(code)).name}: ${xidOf(Number(code)).advice}`, `${code} ${gpu.busId ?? ""}`),
    ),
  ];
}

/** By its clock. */
function slower(uuid: string, gpu: GpuSample, about: AboutHost, say: Say, use: number | undefined): Reading[] {
  const rank = about.rankOf.get(uuid);
  if (rank !== undefined && about.busy.has(rank)) return []; // it tells it itself
  const kind = gpu.name === undefined ? undefined : about.clocks.get(gpu.name);
  if (kind === undefined || kind.count < 3 || gpu.smMHz === undefined || use === undefined) return [];
  const share = gpu.smMHz / kind.median;
  const why = gpu.reasons === undefined ? "" : `: ${reasonWords(gpu.reasons)}`;
  return [
    say(
      "STRAGGLER",
      use >= 50 && share < SLOW_CLOCK ? true : share > SLOW_CLOCK + 0.05 ? false : null,
      `runs at ${gpu.smMHz} MHz, its kind at ${kind.median} MHz${why}`,
    ),
  ];
}

/** Of all GPUs of the host at once: one finding, not eight. */
function ofAll(each: readonly At[], about: AboutHost): Reading[] {
  const known = each.filter(({ gpu }) => gpu.use !== undefined && gpu.down === undefined);
  if (known.length === 0 || about.runningMs < WARM_MS) return [];
  const idle = known.filter(({ gpu }) => (gpu.use ?? 100) < IDLE_USE);
  const spinning = known.filter(
    ({ gpu: { use = 0, powerW, powerLimitW } }) => use >= SPIN_USE && powerW !== undefined && powerLimitW !== undefined && powerW < SPIN_POWER * powerLimitW,
  );
  const names = (some: readonly At[]): string =>
    `${some.length === 1 ? "GPU" : "GPUs"} ${some.map(({ uuid, gpu }) => gpu.index ?? uuid).join(", ")} of ${about.host}`;
  const one = (some: readonly At[]): Pick<Reading, "rank" | "gpu"> => {
    const [first, ...more] = some;
    return first === undefined || more.length > 0 ? { rank: null, gpu: null } : { rank: about.rankOf.get(first.uuid) ?? null, gpu: first.uuid };
  };
  const isStill = about.stillMs === null || about.stillMs > STILL_MS;
  const watts = Math.round(Math.max(0, ...spinning.map(({ gpu }) => gpu.powerW ?? 0)));
  return [
    {
      code: "GPU_IDLE",
      what: "",
      isBad: idle.length > 0,
      text: `${names(idle)}: nothing runs on ${idle.length === 1 ? "it" : "them"}`,
      host: about.host,
      ...one(idle),
    },
    {
      ...{ code: "GPU_SPINS", what: "", isBad: spinning.length > 0 && isStill, host: about.host, ...one(spinning) },
      text: `${names(spinning)}: 100 % in use at ${watts} W, as one that waits; no step ${about.stillMs === null ? "is told" : "came meanwhile"}`,
    },
  ];
}

function taken(sample: Sample, about: AboutHost): Reading[] {
  return about.gpus.map((uuid) => {
    const foreign = Object.values(sample.processes).filter(({ gpu, owner }) => gpu === uuid && owner === "foreign");
    const words = foreign.map(
      ({ pid, name, user, memoryMiB }) =>
        `process ${pid}${name === undefined ? "" : ` (${name})`} of ${user ?? "an unknown user"}${memoryMiB === undefined ? "" : `, ${memoryMiB} MiB`}`,
    );
    return {
      ...{ code: "GPU_TAKEN", what: uuid, isBad: foreign.length > 0, host: about.host, rank: about.rankOf.get(uuid) ?? null, gpu: uuid },
      text: `${nameOf({ uuid, gpu: sample.gpus[uuid] ?? {} }, about)} is also used by ${words.slice(0, 3).join("; ")}`,
    };
  });
}
