/** What a viewer knows of one host's telemetry, and how old it is: what is too old is shown as that, never as a number that stands still. */

import type { GpuProcess, GpuSample, Sample } from "../telemetry/sample.ts";
import { formatDuration } from "./duration.ts";

export type HostReading = {
  readonly host: string;
  /** null: nothing came, see `why`. */
  readonly sample: Sample | null;
  /** Since it came; null: it is told as it was at the end of the run. */
  readonly ageMs: number | null;
  /** "": nothing is the matter. */
  readonly why: string;
  /** PID → rank of the run, for those that are alive. */
  readonly ranks: ReadonlyMap<number, number>;
  /** Bytes a second by interface, from two samples. */
  readonly rates?: Readonly<Record<string, { readonly rx: number; readonly tx: number }>>;
};

/** Some samples may be on their way. */
const STALE_MS = 5000;

export const isStale = ({ ageMs }: HostReading): boolean => ageMs !== null && ageMs > STALE_MS;

/** One line for what is the matter with what a host tells; "": nothing. */
export function troubleOf(reading: HostReading, now: number): string {
  const { sample, ageMs, why } = reading;
  if (why !== "") return why;
  if (sample === null) return "it has not told anything yet";
  if (ageMs !== null && isStale(reading)) return `stale: it last told ${formatDuration(ageMs)} ago`;
  const { tool } = sample;
  if (tool === undefined || tool.state === "ok") return "";
  if (tool.state === "absent") return "no nvidia-smi: no GPU that can be seen";
  if (tool.state === "starting") return "";
  const words = { hung: "hangs", flooding: "writes without end", failed: "fails" } as const;
  const since = tool.since === undefined ? "" : ` for ${formatDuration(Math.max(0, now - tool.since))}`;
  return `${tool.name} ${words[tool.state]}${since}${tool.text === undefined ? "" : `: ${tool.text}`}`;
}

export type GpuLine = { readonly uuid: string; readonly gpu: GpuSample; readonly processes: readonly GpuProcess[] };

/** In the order of nvidia-smi. */
export function gpusOf({ gpus, processes }: Sample): readonly GpuLine[] {
  return Object.entries(gpus)
    .map(([uuid, gpu]) => ({ uuid, gpu, processes: Object.values(processes).filter((process) => process.gpu === uuid) }))
    .sort((a, b) => (a.gpu.index ?? 1e6) - (b.gpu.index ?? 1e6));
}

export const numberWord = (value: number | undefined, digits = 0): string => (value === undefined ? "-" : value.toFixed(digits));
export const gib = (mib: number | undefined): string => (mib === undefined ? "-" : (mib / 1024).toFixed(1));
