/** Every event that an agent may legally tell, generated from the shim's contract. */

import fc from "fast-check";
import type { AgentEvent, AgentRunEvent } from "../../cluster/protocol.ts";
import type { Receipt } from "../../cluster/shim-contract.ts";

const count = fc.nat();
const at = fc.integer({ min: 0, max: 4e12 });
const rank = fc.integer({ min: 0, max: 65_535 });
const text = fc.string({ maxLength: 200 });
const status = { code: fc.option(fc.integer()), signal: fc.option(fc.constantFrom("SIGKILL", "SIGTERM", "SIGRTMIN+3")) };

export const receipt: fc.Arbitrary<Receipt> = fc.record({
  signalled: count,
  exited: count,
  killed: count,
  left: fc.option(count),
  leftPids: fc.array(fc.record({ pid: count, start: count, comm: text, why: text }), { maxLength: 3 }),
  proof: fc.subarray(["cgroup", "subreaper", "pids", "mark"] as const),
  gpuMemoryMiB: fc.option(fc.integer({ min: 0, max: 100_000 })),
});

const shim = { index: count, at };
const is = <T extends string>(type: T): fc.Arbitrary<T> => fc.constant(type);

export const byType: { readonly [T in AgentRunEvent["type"]]: fc.Arbitrary<AgentRunEvent & { type: T }> } = {
  armed: fc.record({
    ...shim,
    type: is("armed"),
    pid: count,
    start: count,
    ports: fc.array(count, { maxLength: 2 }),
    containment: fc.subarray(["cgroup", "subreaper", "mark"] as const),
  }),
  "arm-failed": fc.record(
    { ...shim, type: is("arm-failed"), code: fc.constantFrom("PORT_BUSY" as const, "LOCKED" as const, "DIR" as const, "OTHER" as const), text, port: count },
    { requiredKeys: ["index", "at", "type", "code", "text"] },
  ) as fc.Arbitrary<AgentRunEvent & { type: "arm-failed" }>,
  launched: fc.record({
    ...shim,
    type: is("launched"),
    pids: fc.array(fc.record({ role: fc.constantFrom("launcher" as const, "rank" as const), rank: fc.option(rank), pid: count, start: count }), {
      maxLength: 3,
    }),
  }),
  "launch-failed": fc.record({ ...shim, type: is("launch-failed"), text, rank: fc.option(rank) }),
  "rank-started": fc.record({ ...shim, type: is("rank-started"), rank, localRank: rank, pid: count, start: count }),
  "rank-exited": fc.record({
    ...shim,
    type: is("rank-exited"),
    rank,
    pid: count,
    ...status,
    source: fc.constantFrom("wait" as const, "stat" as const, "launcher" as const, "unknown" as const),
    coreDumped: fc.boolean(),
  }),
  "launcher-exited": fc.record({ ...shim, type: is("launcher-exited"), ...status }),
  stopping: fc.record({ ...shim, type: is("stopping"), why: text, graceMs: count }),
  gap: fc.record({ ...shim, type: is("gap"), file: text, from: count, to: count, why: fc.constantFrom("quota" as const, "disk-full" as const) }),
  ended: fc.record({ ...shim, type: is("ended"), receipt }),
  "shim-lost": fc.record({ type: is("shim-lost"), at, receipt }),
  drained: fc.record({ type: is("drained"), at, sizes: fc.dictionary(text, count, { maxKeys: 3 }) }),
};

export const runEvent: fc.Arbitrary<AgentRunEvent> = fc.oneof(...Object.values(byType));
export const agentEvent = (attempt: fc.Arbitrary<number> = fc.nat(3)): fc.Arbitrary<AgentEvent> => fc.record({ index: count, at, attempt, event: runEvent });
