/** Whoever holds a run keeps it against everybody but a higher epoch, in every order of arrival. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { admit } from "../../agent/fence.ts";
import type { Authority } from "../../cluster/protocol.ts";

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
