/** GPUs that share the host's memory (GB10): their driver tells none, so what their processes hold is what is used, and the host's is all there is. */

import type { GpuSample, Sample } from "./sample.ts";

export function withSharedMemory(sample: Sample): Sample {
  const gpus = Object.entries(sample.gpus).map(([uuid, gpu]) => [uuid, isUntold(uuid, gpu) ? { ...gpu, ...sharedBy(uuid, sample) } : gpu] as const);
  return { ...sample, gpus: Object.fromEntries(gpus) };
}

/** It answers, and of memory alone it says nothing. AMD's tools are older or newer, and tell elsewhere. */
function isUntold(uuid: string, { memoryUsedMiB, memoryTotalMiB, temperatureC, down }: GpuSample): boolean {
  return uuid.startsWith("GPU-") && down === undefined && temperatureC !== undefined && memoryUsedMiB === undefined && memoryTotalMiB === undefined;
}

/** What the kernel says is free is no measure: the page cache is in there too. */
function sharedBy(uuid: string, { processes, host }: Sample): Pick<GpuSample, "memoryUsedMiB" | "memoryTotalMiB"> {
  const held = Object.values(processes).flatMap(({ gpu, memoryMiB }) => (gpu === uuid ? [memoryMiB] : []));
  // No process may also mean that none was looked for yet.
  const isWhole = held.length > 0 && held.every((memory) => memory !== undefined);
  return {
    ...(isWhole ? { memoryUsedMiB: held.reduce<number>((sum, memory) => sum + (memory ?? 0), 0) } : {}),
    ...(host.memoryTotalBytes === undefined ? {} : { memoryTotalMiB: Math.floor(host.memoryTotalBytes / 2 ** 20) }),
  };
}
