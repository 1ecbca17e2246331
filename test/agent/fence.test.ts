/** Whoever holds a run keeps it against everybody but a higher epoch, in every order of arrival. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { admit } from "../../agent/fence.ts";
import { type Authority, CLOSE } from "../../cluster/protocol.ts";
import { connect, record, startAgent } from "../support/agent.ts";

const authority = fc.record({ controller: fc.constantFrom("a", "b", "c"), epoch: fc.nat(4) });

test("the authority on record never goes back, and never changes hands within an epoch", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(authority, fc.boolean()), { maxLength: 40 }), (commands) => {
      let kept = null as Authority | null;
      for (const [asking, carriesRecord] of commands) {
        const verdict = admit(kept, asking, carriesRecord);
        const before = kept;
        if (verdict === "ok") assert.deepEqual([asking.epoch, asking.controller], [before?.epoch, before?.controller]);
        if (verdict === "takes-over") {
          assert.ok(carriesRecord, "only a record takes over");
          assert.ok(before === null || asking.epoch > before.epoch);
          kept = asking;
        }
        if (verdict === "fenced")
          assert.ok(before !== null && asking.epoch <= before.epoch && (asking.epoch < before.epoch || asking.controller !== before.controller));
        if (before !== null && asking.epoch < before.epoch) assert.equal(verdict, "fenced");
      }
    }),
  );
});

test("without a record nothing begins and nothing is taken over", () => {
  assert.equal(admit(null, { controller: "a", epoch: 9 }, false), "unknown-run");
  assert.equal(admit({ controller: "a", epoch: 1 }, { controller: "b", epoch: 2 }, false), "unknown-run");
});

test("a taker that read before the run went on is told to read again, and changes nothing by it", async (t) => {
  const agent = await startAgent(t);
  const [first, second] = await Promise.all([connect(t, agent, "c1"), connect(t, agent, "c2")]);
  const taker = (seq: number) => ({ ...record("r1", 2, "c2"), state: { takeover: { isWon: false, base: { epoch: 1, seq } } } });
  await first.as("r1", 1, { do: "adopt", record: record("r1", 1, "c1", 5) });
  await assert.rejects(second.as("r1", 2, { do: "adopt", record: taker(4) }), /went on while it was being taken over/);
  const kept = (await second.command({ do: "read-record", run: "r1" })) as { record: { controller: string; seq: number }; isLinked: boolean; heardMs: number };
  assert.deepEqual([kept.record.controller, kept.record.seq, kept.isLinked], ["c1", 5, true]);
  await first.as("r1", 1, { do: "record", record: record("r1", 1, "c1", 6) });
  await second.as("r1", 2, { do: "adopt", record: taker(6) });
  const { code } = await first.closed;
  assert.equal(code, CLOSE.fenced);
  await assert.rejects((await connect(t, agent, "c1")).as("r1", 1, { do: "record", record: record("r1", 1, "c1", 7) }), /another controller has taken over/);
});
