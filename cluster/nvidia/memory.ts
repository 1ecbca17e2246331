/** Memory of a GPU, also of one that shares the host's (GB10): its driver then tells none, and what processes hold is all that is known. */

import type { Reading } from "./cell.ts";
import { type GpuRow, numberOf } from "./gpu-row.ts";
import type { GpuProcess } from "./processes.ts";

/** MiB. */
export type GpuMemory = { readonly used: Reading; readonly total: Reading; readonly isShared: boolean };

/** `hostMiB`: MemTotal. What is free of it is no measure: the page cache is in there too. */
export function memoryOf(row: GpuRow, uuid: string, processes: readonly GpuProcess[], hostMiB: number): GpuMemory {
  const [used, total] = [numberOf(row, "memory.used"), numberOf(row, "memory.total")];
  const isUntold = [used, total].every((reading) => "na" in reading && reading.na === "unsupported");
  if (!isUntold) return { used, total, isShared: false };
  const own = processes.filter(({ gpu }) => gpu === uuid).map(({ memory }) => memory);
  const lack = own.find((memory) => "na" in memory);
  const sum = own.reduce((all, memory) => all + ("v" in memory ? memory.v : 0), 0);
  return { used: lack ?? { v: sum }, total: { v: hostMiB }, isShared: true };
}
