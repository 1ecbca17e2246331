/** AMD GPUs by amd-smi, else the older rocm-smi: the basic values, asked every few seconds. Neither has a loop that can be read. */

import { type AmdGpu, readAmdSmi, readRocmSmi } from "../../cluster/amd/metrics.ts";
import type { Reading } from "../../cluster/nvidia/cell.ts";
import type { GpuSample, GpuTool } from "../../cluster/telemetry/sample.ts";
import { askProgram, findProgram } from "./child.ts";
import { repeat } from "./repeat.ts";

/** Both are Python programs that take a second. */
const EVERY_MS = 5000;
const ASK_MS = 10_000;
const ABSENT_MS = 300_000;

export type AmdPoll = { readonly tool: () => GpuTool | null; readonly now: () => Record<string, GpuSample>; readonly close: () => void };

export function pollAmd(log: (text: string) => void, find = findProgram, everyMs = EVERY_MS): AmdPoll {
  const closing = new AbortController();
  const { signal } = closing;
  let gpus: Record<string, GpuSample> = {};
  let foundAt = Number.NEGATIVE_INFINITY;
  let tool: GpuTool | null = null;

  const look = async (name: "amd-smi" | "rocm-smi", at: string): Promise<void> => {
    const isNew = name === "amd-smi";
    const { out, err, cut, gone } = await askProgram(
      at,
      isNew ? ["metric", "--json"] : ["--showuse", "--showmemuse", "--showmeminfo", "vram", "--showtemp", "--showpower", "--json"],
      ASK_MS,
      signal,
    );
    const found = cut === null ? (isNew ? readAmdSmi(out) : readRocmSmi(out)) : null;
    if (found !== null) {
      gpus = Object.fromEntries(found.map((gpu) => [`AMD-${gpu.index}`, sampleOf(gpu)]));
      foundAt = performance.now();
      tool = { name, state: "ok" };
    } else {
      const text = cut === "late" ? "it does not answer" : (err.trim() || out.trim()).split("\n")[0]?.slice(0, 200);
      tool = { name, state: cut === "late" ? "hung" : "failed", ...(text === undefined ? {} : { text }), since: tool?.since ?? Date.now() };
    }
    await gone;
  };
  const lookWhereThere = async (): Promise<number> => {
    const newer = find("amd-smi");
    const at = newer ?? find("rocm-smi");
    if (at === null) tool = null;
    else await look(newer === null ? "rocm-smi" : "amd-smi", at);
    return at === null ? ABSENT_MS : everyMs;
  };
  repeat(lookWhereThere, everyMs, signal, log);
  return { tool: () => tool, now: () => (performance.now() - foundAt < 3 * everyMs + ASK_MS ? gpus : {}), close: () => closing.abort() };
}

function sampleOf(gpu: AmdGpu): GpuSample {
  const number = <K extends string>(key: K, read: Reading, most: number): { [N in K]?: number } =>
    ("v" in read && read.v >= 0 && read.v <= most ? { [key]: read.v } : {}) as { [N in K]?: number };
  return {
    index: gpu.index,
    ...number("use", gpu.utilization, 100),
    ...number("memoryUse", gpu.memoryUtilization, 100),
    ...number("memoryUsedMiB", gpu.memoryUsed, 1e8),
    ...number("memoryTotalMiB", gpu.memoryTotal, 1e8),
    ...number("temperatureC", gpu.temperature, 250),
    ...number("memoryTemperatureC", gpu.memoryTemperature, 250),
    ...number("powerW", gpu.power, 1e5),
    ...number("eccCorrected", gpu.eccCorrected, 2 ** 48),
    ...number("eccUncorrected", gpu.eccUncorrected, 2 ** 48),
  };
}
