/** The GPUs of this host as they were last read. What is older than a few seconds is not told: a number that stands still would be a lie. */

import type { GpuRow } from "../../cluster/nvidia/gpu-row.ts";
import { isSameBus } from "../../cluster/nvidia/kernel-log.ts";
import { readGpu, uuidOf } from "../../cluster/telemetry/read-gpu.ts";
import type { GpuSample } from "../../cluster/telemetry/sample.ts";

type Rate = "static" | "hot" | "slow";
type Read = { readonly gpu: GpuSample; readonly at: number };
type Gpu = Partial<Record<Rate, Read>> & { skip: boolean; lostAt: number | null };

/** Of the loop at 1 Hz, and of a single question every 5 s. Static ones stay: they name the GPU. */
const FRESH_MS: Readonly<Record<Rate, number>> = { static: Number.POSITIVE_INFINITY, hot: 8000, slow: 90_000 };
const GPUS_MAX = 128;

export type GpuReadings = {
  readonly row: (rate: Rate, row: GpuRow) => void;
  readonly lost: (busId: string) => void;
  /** By UUID. Where nothing tells at present, their names only, and what the kernel says of them. */
  readonly now: (isTelling: boolean, xidsOf?: (busId: string) => Readonly<Record<string, number>> | null) => Record<string, GpuSample>;
};

export function keepReadings(clock: () => number = () => performance.now()): GpuReadings {
  const gpus = new Map<string, Gpu>();

  const nameOf = (row: GpuRow, read: GpuSample): string | null => {
    const uuid = uuidOf(row);
    if (uuid !== null) return uuid;
    const known = [...gpus].find(([, gpu]) => read.index !== undefined && gpu.static?.gpu.index === read.index);
    return known?.[0] ?? null; // a dead GPU may not even know its name
  };

  return {
    row: (rate, row) => {
      const read = readGpu(rate, row);
      const uuid = nameOf(row, read);
      if (uuid === null || (!gpus.has(uuid) && gpus.size >= GPUS_MAX)) return;
      const gpu = gpus.get(uuid) ?? { skip: true, lostAt: null };
      gpus.set(uuid, gpu);
      // Without persistence the first sample is the noise of waking up: 100 % and full power at rest.
      const isNoise = rate === "hot" && gpu.skip && gpu.static?.gpu.persistence !== 1 && read.down === undefined;
      if (rate === "hot") gpu.skip = false;
      if (!isNoise) gpu[rate] = { gpu: read, at: clock() };
      if (rate === "hot" && read.down === undefined) gpu.lostAt = null;
    },
    lost: (busId) => {
      for (const gpu of gpus.values()) if (isSameBus(gpu.static?.gpu.busId ?? "", busId)) gpu.lostAt = clock();
    },
    now: (isTelling, xidsOf = () => null) => {
      const now = clock();
      return Object.fromEntries(
        [...gpus].map(([uuid, gpu]) => {
          const isFresh = (rate: Rate): boolean => now - (gpu[rate]?.at ?? Number.NEGATIVE_INFINITY) < FRESH_MS[rate];
          const of = (rate: Rate): GpuSample => (isFresh(rate) && (isTelling || rate === "static") ? (gpu[rate]?.gpu ?? {}) : {});
          const isLost = gpu.lostAt !== null && gpu.lostAt >= (gpu.hot?.at ?? 0);
          const busId = gpu.static?.gpu.busId;
          const found = busId === undefined ? null : xidsOf(busId);
          const named = { ...of("static"), ...(found === null ? {} : { xids: { ...found } }) };
          if (isLost) return [uuid, { ...named, down: "lost" as const }];
          // Of a GPU that is out of order nothing else is believed.
          return [uuid, of("hot").down === undefined ? { ...named, ...of("slow"), ...of("hot") } : { ...named, ...of("hot") }];
        }),
      );
    },
  };
}
