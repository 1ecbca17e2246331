/** The gate for what agents tell: every event of the contract passes unchanged, anything else is refused, nothing throws. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { agentEventSchema } from "../../cluster/agent-event.ts";
import { agentEvent, byType } from "./agent-events.ts";

const passes = (value: unknown): boolean => agentEventSchema.safeParse(value).success;

for (const [type, event] of Object.entries(byType)) {
  test(`${type}: passes whole, over JSON as well`, () => {
    fc.assert(
      fc.property(fc.record({ index: fc.nat(), at: fc.nat(), attempt: fc.nat(9), event }), (told) => {
        assert.deepEqual(agentEventSchema.parse(JSON.parse(JSON.stringify(told))), JSON.parse(JSON.stringify(told)));
      }),
    );
  });
}

test("never: anything that is not such an event passes, and nothing throws", () => {
  fc.assert(fc.property(fc.oneof(fc.jsonValue(), fc.anything()), (value) => assert.ok(!passes(value))));
});

/** A legal event with one of its fields, at any depth that has a rule of its own, missing or of another kind. */
const spoilt = fc.tuple(agentEvent(), fc.nat(), fc.constantFrom<unknown>(undefined, null, "7", -1, 1.5, 1e300, [], {}, true)).map(([told, pick, bad]) => {
  const copy = structuredClone(told) as unknown as Record<string, Record<string, unknown>>;
  const inner = copy.event as Record<string, unknown>;
  const fields = [
    ...["index", "attempt", "event"].map((key) => [copy, key] as const),
    ...Object.keys(inner).flatMap((key) =>
      ["pid", "start", "rank", "localRank", "from", "to", "type", "receipt", "index"].includes(key) ? [[inner, key] as const] : [],
    ),
  ];
  const [owner, key] = fields[pick % fields.length] ?? [copy, "index"];
  const isNullable = key === "rank" && inner.type === "launch-failed" && bad === null;
  (owner as Record<string, unknown>)[key] = isNullable ? -1 : bad;
  return copy;
});

test("never: an event with a field missing or of another kind passes", () => {
  fc.assert(
    fc.property(spoilt, (value) => assert.ok(!passes(value))),
    { numRuns: 2000 },
  );
});

test("never: an event without bound passes", () => {
  const told = (event: object) => ({ index: 0, at: 0, attempt: 1, event: { index: 0, at: 0, ...event } });
  const long = "x".repeat(5000);
  const pid = { pid: 1, start: 1, comm: "x", why: "x" };
  const receipt = { signalled: 0, exited: 0, killed: 0, left: 0, leftPids: [], proof: ["pids"], gpuMemoryMiB: null };
  assert.ok(passes(told({ type: "ended", receipt })));
  for (const event of [
    { type: "stopping", why: long, graceMs: 0 },
    { type: "launch-failed", text: long, rank: null },
    { type: "rank-started", rank: 65_536, localRank: 0, pid: 1, start: 1 },
    { type: "launched", pids: Array.from({ length: 5000 }, () => ({ role: "rank", rank: 0, pid: 1, start: 1 })) },
    { type: "armed", pid: 1, start: 1, ports: Array.from({ length: 100 }, () => 1), containment: [] },
    { type: "gap", file: long, from: 0, to: 1, why: "quota" },
    { type: "ended", receipt: { ...receipt, leftPids: Array.from({ length: 1001 }, () => pid) } },
    { type: "ended", receipt: { ...receipt, leftPids: [{ ...pid, comm: long }] } },
    { type: "drained", sizes: { [long]: 1 } },
    { type: "rank-exited", rank: 0, pid: 1, code: null, signal: long, source: "wait", coreDumped: false },
  ])
    assert.ok(!passes(told(event)), event.type);
});
