/** The events of an agent as they may come over the wire: a host is not trusted, so each has a shape and a bound before it is journaled. */

import * as z from "zod";
import type { AgentEvent } from "./protocol.ts";

const count = z.int().nonnegative();
const rank = z.int().min(0).max(65_535);
const text = z.string().max(4096);
const status = { code: z.int().nullable(), signal: z.string().max(32).nullable() };

const receipt = z.object({
  signalled: count,
  exited: count,
  killed: count,
  killedLaunchers: count.optional(),
  left: count.nullable(),
  leftPids: z.array(z.object({ pid: count, start: count, comm: z.string().max(256), why: text })).max(1000),
  proof: z.array(z.enum(["cgroup", "subreaper", "pids", "mark"])).max(4),
  gpuMemoryMiB: z.number().nullable(),
  gpuMemoryWhy: z.string().max(256).optional(),
});

const shim = { index: count, at: z.number() };
const process = { pid: count, start: count };

const event = z.discriminatedUnion("type", [
  z.object({
    ...shim,
    type: z.literal("armed"),
    ...process,
    ports: z.array(count).max(16),
    containment: z.array(z.enum(["cgroup", "subreaper", "mark"])).max(3),
  }),
  z.object({ ...shim, type: z.literal("arm-failed"), code: z.enum(["PORT_BUSY", "GPU_BUSY", "LOCKED", "DIR", "OTHER"]), text, port: count.optional() }),
  z.object({
    ...shim,
    type: z.literal("launched"),
    pids: z.array(z.object({ role: z.enum(["launcher", "rank"]), rank: rank.nullable(), ...process })).max(4096),
  }),
  z.object({ ...shim, type: z.literal("launch-failed"), text, rank: rank.nullable() }),
  z.object({ ...shim, type: z.literal("rank-started"), rank, localRank: rank, ...process }),
  z.object({
    ...shim,
    type: z.literal("rank-exited"),
    rank,
    pid: count,
    ...status,
    source: z.enum(["wait", "stat", "launcher", "unknown"]),
    coreDumped: z.boolean(),
  }),
  z.object({ ...shim, type: z.literal("launcher-exited"), ...status }),
  z.object({ ...shim, type: z.literal("stopping"), why: text, graceMs: z.number() }),
  z.object({ ...shim, type: z.literal("gap"), file: z.string().max(256), from: count, to: count, why: z.enum(["quota", "disk-full"]) }),
  z.object({ ...shim, type: z.literal("ended"), receipt }),
  z.object({ type: z.literal("shim-lost"), at: z.number(), receipt }),
  z.object({ type: z.literal("drained"), at: z.number(), sizes: z.record(z.string().max(256), count) }),
]);

export const agentEventSchema: z.ZodType<AgentEvent> = z.object({ index: count, at: z.number(), attempt: count, event }) as z.ZodType<AgentEvent>;
