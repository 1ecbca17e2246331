/** A row of nvidia-smi as part of a sample. What is not understood, or cannot be, is left out. */

import type { Reading } from "../nvidia/cell.ts";
import { chooseFields } from "../nvidia/fields.ts";
import { flagOf, type GpuRow, maskOf, numberOf, textOf } from "../nvidia/gpu-row.ts";
import { GPU_NUMBERS, type GpuField } from "./fields.ts";
import type { GpuNumbers, GpuSample } from "./sample.ts";

type Rate = GpuField["rate"];

/** Fields that name a GPU, beside the numbers of a rate. */
const NAMES: Readonly<Record<Rate, readonly string[]>> = {
  static: ["uuid", "index", "name", "pci.bus_id", "driver_version"],
  hot: ["uuid", "index"],
  slow: ["uuid", "index", "gpu_recovery_action"],
};

/** What to ask a driver that knows these fields; an empty `drivers`: all of them by their newest names. */
export function fieldsOf(rate: Rate, drivers: ReadonlySet<string>): readonly string[] {
  const numbers = Object.values(GPU_NUMBERS as Readonly<Record<string, GpuField>>).filter((field) => field.rate === rate);
  return chooseFields([...NAMES[rate], ...numbers.map(({ smi }) => smi)], drivers).ask;
}

export function readGpu(rate: Rate, row: GpuRow): GpuSample {
  const found: Record<string, number> = {};
  for (const [name, field] of Object.entries(GPU_NUMBERS as Readonly<Record<string, GpuField>>)) {
    const value = field.rate === rate ? known(numberIn(row, field)) : undefined;
    if (value !== undefined && value >= (field.least ?? 0) && value <= field.most) found[name] = value;
  }
  const index = known(numberOf(row, "index"));
  return {
    ...(found as GpuNumbers),
    ...(index === undefined ? {} : { index }),
    ...text(row, "name", "name"),
    ...text(row, "busId", "pci.bus_id"),
    ...text(row, "driver", "driver_version"),
    ...text(row, "recovery", "gpu_recovery_action"),
    ...(row.down === null ? {} : { down: row.down }),
  };
}

/** By which a GPU goes; null: the row names none. */
export const uuidOf = (row: GpuRow): string | null => known(textOf(row, "uuid")) ?? null;

const known = <T>(read: Reading<T>): T | undefined => ("v" in read ? read.v : undefined);

function numberIn(row: GpuRow, { smi, how }: GpuField): Reading {
  if (how === undefined) return numberOf(row, smi);
  if (how === "mask") return maskOf(row, smi);
  if (how === "flag") {
    const flag = flagOf(row, smi);
    return "v" in flag ? { v: flag.v ? 1 : 0 } : flag;
  }
  const state = textOf(row, smi);
  if (!("v" in state)) return state;
  const digits = /^P(\d{1,2})$/.exec(state.v)?.[1];
  return digits === undefined ? { na: "garbled" } : { v: Number(digits) };
}

function text<K extends string>(row: GpuRow, key: K, field: string): { [N in K]?: string } {
  const value = known(textOf(row, field));
  return (value === undefined ? {} : { [key]: value.slice(0, 256) }) as { [N in K]?: string };
}
