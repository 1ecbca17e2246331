/** The basic values of AMD GPUs, of `amd-smi metric --json` (both shapes) or of the older `rocm-smi --json` (keys of several releases). */

import type { Lack, Reading } from "../nvidia/cell.ts";
import { readNumber } from "../nvidia/cell.ts";

export type AmdGpu = {
  readonly index: number;
  /** %, MiB, °C, W. */
  readonly utilization: Reading;
  readonly memoryUtilization: Reading;
  readonly memoryUsed: Reading;
  readonly memoryTotal: Reading;
  readonly temperature: Reading;
  readonly hotspot: Reading;
  readonly memoryTemperature: Reading;
  readonly power: Reading;
  readonly eccCorrected: Reading;
  readonly eccUncorrected: Reading;
  /** As its tool says it: UNTHROTTLED, THROTTLED. */
  readonly throttle: Reading<string>;
};

type Node = { readonly [key: string]: unknown };
const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null && !Array.isArray(value);

const LACK = (na: Lack): { readonly na: Lack } => ({ na });

/** null: it is no such JSON. */
export function readAmdSmi(out: string): readonly AmdGpu[] | null {
  const value = parse(out);
  const list = Array.isArray(value) ? value : isNode(value) && Array.isArray(value["gpu_data"]) ? value["gpu_data"] : null;
  if (list === null) return null;
  return list.filter(isNode).flatMap((gpu) => {
    const index = gpu["gpu"];
    if (typeof index !== "number" || !Number.isInteger(index)) return [];
    const at = (...path: readonly string[]): Reading => measured(dig(gpu, path));
    const throttle = firstOf(dig(gpu, ["throttle", "throttle_status"]) ?? dig(gpu, ["power", "throttle_status"]));
    return [
      {
        index,
        utilization: at("usage", "gfx_activity"),
        memoryUtilization: at("usage", "umc_activity"),
        memoryUsed: at("mem_usage", "used_vram"),
        memoryTotal: at("mem_usage", "total_vram"),
        temperature: either(at("temperature", "edge"), at("temperature", "hotspot")),
        hotspot: at("temperature", "hotspot"),
        memoryTemperature: at("temperature", "mem"),
        power: either(at("power", "socket_power"), at("power", "average_socket_power")),
        eccCorrected: at("ecc", "total_correctable_count"),
        eccUncorrected: at("ecc", "total_uncorrectable_count"),
        throttle: typeof throttle === "string" && throttle !== "N/A" && throttle.length < 40 ? { v: throttle } : LACK("unsupported"),
      } satisfies AmdGpu,
    ];
  });
}

/** Keys were renamed between releases: each value by any of its names, whatever their capitals. */
const ROCM: Readonly<Record<Exclude<keyof AmdGpu, "index" | "throttle">, readonly string[]>> = {
  utilization: ["gpu use (%)"],
  memoryUtilization: ["gpu memory read/write activity (%)", "memory activity"],
  memoryUsed: ["vram total used memory (b)"],
  memoryTotal: ["vram total memory (b)"],
  temperature: ["temperature (sensor edge) (c)", "temperature (sensor junction) (c)"],
  hotspot: ["temperature (sensor junction) (c)"],
  memoryTemperature: ["temperature (sensor memory) (c)", "temperature (sensor hbm 0) (c)"],
  power: ["current socket graphics package power (w)", "average graphics package power (w)", "average socket power (w)"],
  eccCorrected: [],
  eccUncorrected: [],
};

/** null: it is no such JSON. */
export function readRocmSmi(out: string): readonly AmdGpu[] | null {
  const value = parse(out);
  if (!isNode(value)) return null;
  const cards = Object.entries(value).flatMap(([name, card]) => {
    const index = /^card(\d{1,3})$/.exec(name)?.[1];
    return index === undefined || !isNode(card)
      ? []
      : [{ index: Number(index), values: new Map(Object.entries(card).map(([key, cell]) => [key.toLowerCase(), cell])) }];
  });
  if (cards.length === 0) return null;
  return cards.map(({ index, values }) => {
    const by = (names: readonly string[]): Reading => measured(names.map((name) => values.get(name)).find((cell) => cell !== undefined));
    const mib = (reading: Reading): Reading => ("v" in reading ? { v: Math.round(reading.v / 2 ** 20) } : reading);
    const read = Object.fromEntries(Object.entries(ROCM).map(([key, names]) => [key, by(names)])) as Record<keyof typeof ROCM, Reading>;
    return { ...read, index, memoryUsed: mib(read.memoryUsed), memoryTotal: mib(read.memoryTotal), throttle: LACK("unsupported") };
  });
}

function parse(out: string): unknown {
  // rocm-smi prints warnings before its JSON.
  const start = out.search(/^[[{]/m);
  if (start < 0) return null;
  try {
    return JSON.parse(out.slice(start)) as unknown;
  } catch {
    return null;
  }
}

function dig(node: unknown, path: readonly string[]): unknown {
  let here = node;
  for (const name of path) here = isNode(here) && Object.hasOwn(here, name) ? here[name] : undefined;
  return here;
}

/** Per partition, newer tools give a list by xcp_N: the first one with a value speaks for the GPU. */
function firstOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(firstOf).find((each) => each !== undefined && each !== "N/A");
  if (isNode(value) && Object.keys(value).some((key) => key.startsWith("xcp_"))) return firstOf(Object.values(value));
  return value;
}

const MIB_OF: Readonly<Record<string, number>> = { B: 2 ** -20, KB: 2 ** -10, MB: 1, GB: 2 ** 10 };

function measured(value: unknown): Reading {
  const one = firstOf(value);
  if (one === undefined || one === null) return LACK("not-asked");
  if (typeof one === "number") return Number.isFinite(one) ? { v: one } : LACK("garbled");
  if (typeof one === "string") return readNumber(one);
  if (!isNode(one)) return LACK("garbled");
  const read = measured(one["value"]);
  const unit = one["unit"];
  return "v" in read && typeof unit === "string" && unit in MIB_OF ? { v: read.v * (MIB_OF[unit] ?? 1) } : read;
}

const either = (first: Reading, second: Reading): Reading => ("v" in first ? first : second);
