/**
 * One sample of one host. A number that is not known is absent, never 0. Nothing in it is trusted: a host may say anything, within these bounds.
 * Maps, no lists: what changed since the sample before is then small (patch.ts).
 */

import * as z from "zod";
import { DISK_NUMBERS, GPU_NUMBERS, HOST_NUMBERS, NET_NUMBERS, type NumberField, NVLINK_NUMBERS } from "./fields.ts";

type Numbers<T> = { readonly [K in keyof T]?: number | undefined };

function numbers<T extends Readonly<Record<string, NumberField>>>(table: T) {
  const shape = Object.entries(table).map(([name, { least = 0, most }]) => [name, z.number().min(least).max(most).optional()] as const);
  return Object.fromEntries(shape) as { [K in keyof T]: z.ZodOptional<z.ZodNumber> };
}

const word = z.string().max(256);
const atMost = (limit: number) => (map: Readonly<Record<string, unknown>>) => Object.keys(map).length <= limit;

const gpu = z.object({
  index: z.int().min(0).max(999).optional(),
  name: word.optional(),
  busId: word.optional(),
  driver: word.optional(),
  /** Out of order: lost, reset-required, unknown. Then nothing else of it is known. */
  down: z.enum(["lost", "reset-required", "unknown"]).optional(),
  /** What the driver advises: None, Reset, Reboot, Drain P2P, Drain and Reset. */
  recovery: word.optional(),
  /** Xid of the kernel's log → how often since the boot; absent: the log cannot be read. */
  xids: z
    .record(z.string().regex(/^\d{1,4}$/), z.int().min(0).max(1e9))
    .refine(atMost(200))
    .optional(),
  ...numbers(GPU_NUMBERS),
  ...numbers(NVLINK_NUMBERS),
});

const gpuProcess = z.object({
  gpu: word,
  pid: z
    .int()
    .min(1)
    .max(2 ** 32),
  /** As the driver or the kernel tells it. */
  name: word.optional(),
  user: word.optional(),
  memoryMiB: z.number().min(0).max(1e8).optional(),
  /** ours: of a run of this agent, see `run`. unknown: the process cannot be looked at (another PID namespace). */
  owner: z.enum(["ours", "foreign", "unknown"]),
  run: word.optional(),
});

/** How the tool that tells of the GPUs does. ok: it tells. absent: the host has none. */
const tool = z.object({
  name: z.enum(["nvidia-smi", "amd-smi", "rocm-smi"]),
  state: z.enum(["ok", "starting", "absent", "hung", "flooding", "failed"]),
  text: word.optional(),
  /** Since when it does not tell, by the host's clock. */
  since: z.number().optional(),
});

export const sampleSchema = z.object({
  tool: tool.optional(),
  /** By UUID. */
  gpus: z.record(word, gpu).refine(atMost(128)),
  /** By "UUID/PID". */
  processes: z.record(word, gpuProcess).refine(atMost(1024)),
  host: z.object(numbers(HOST_NUMBERS)),
  /** By the interface's name. */
  nets: z.record(word, z.object(numbers(NET_NUMBERS))).refine(atMost(256)),
  /** By the mount point. */
  disks: z.record(word, z.object(numbers(DISK_NUMBERS))).refine(atMost(256)),
});

export type Sample = z.infer<typeof sampleSchema>;
export type GpuSample = z.infer<typeof gpu>;
export type GpuProcess = z.infer<typeof gpuProcess>;
export type GpuTool = z.infer<typeof tool>;
export type NetSample = Sample["nets"][string];
export type DiskSample = Sample["disks"][string];
export type GpuNumbers = Numbers<typeof GPU_NUMBERS>;

export const NOTHING: Sample = { gpus: {}, processes: {}, host: {}, nets: {}, disks: {} };

/**
 * A sample on its way and on disk: `seq` grows by one per sample of an agent, `at` is the host's clock. `full` begins a stream; `patch` is what changed
 * since seq - 1.
 */
export const sampleItem = z.object({
  seq: z.int().nonnegative(),
  at: z.number().min(0).max(8.64e15),
  full: z.record(z.string(), z.unknown()).optional(),
  patch: z.record(z.string(), z.unknown()).optional(),
});
export type SampleItem = z.infer<typeof sampleItem>;

/** A point of the history: of `spanMs` up to `at`. */
export type Point = { readonly at: number; readonly spanMs: number; readonly sample: Sample };
