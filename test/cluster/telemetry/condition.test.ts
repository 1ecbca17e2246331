/** From looks to findings: nothing flaps, a silence says nothing, and a run keeps each once. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { findingTold, presentFindings } from "../../../cluster/run/findings.ts";
import { replay } from "../../../cluster/run/reduce.ts";
import type { RunState } from "../../../cluster/run/state.ts";
import { type Reading, type RunFinding, watchConditions } from "../../../cluster/telemetry/condition.ts";
import { requested } from "../run/model.ts";

const initial = replay([requested(2)]);
const reading = (isBad: boolean | null): Reading => ({ code: "X", what: "", isBad, text: "t", host: "a", rank: null, gpu: null });

test("nothing flaps: begin and end alternate, with at least the times of the rule between them, ever longer", () => {
  const rule = { forMs: 10_000, clearMs: 20_000 };
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom(true, true, false, null), fc.integer({ min: 1, max: 90_000 })), { maxLength: 300 }), (steps) => {
      const it = watchConditions({ X: rule });
      let at = 0;
      let last: { readonly at: number; readonly ended: boolean } | null = null;
      let begun = 0;
      for (const [isBad, ms] of steps) {
        at += ms;
        for (const { since, until } of it.look("a", [reading(isBad)], at)) {
          assert.ok(since <= at);
          if (until === null) {
            assert.ok(last === null || last.ended);
            assert.ok(isBad === true && at - since >= rule.forMs);
            begun += 1;
          } else {
            assert.ok(last !== null && !last.ended && isBad === false);
            assert.ok(at - last.at >= rule.clearMs * 2 ** (begun - 1) || begun > 8);
          }
          last = { at, ended: until !== null };
        }
      }
    }),
  );
});

test("a silence of the host says nothing: what was bad before it must last anew", () => {
  const it = watchConditions({ X: { forMs: 10_000, clearMs: 0 } });
  it.look("a", [reading(true)], 0);
  assert.deepEqual(it.look("a", [reading(true)], 120_000), []);
  assert.equal(it.look("a", [reading(true)], 130_000).length, 1);
});

test("what another controller has told is not told again; its end is", () => {
  const told: RunFinding = { code: "X", key: "X a", text: "t", host: "a", rank: null, gpu: null, since: 5, until: null };
  const it = watchConditions({ X: { forMs: 0, clearMs: 10_000 } }, [told]);
  for (const at of [100_000, 101_000, 150_000]) assert.deepEqual(it.look("a", [reading(true)], at), []);
  assert.deepEqual(it.look("a", [reading(false)], 160_000), []);
  assert.deepEqual(it.look("a", [reading(false)], 170_000), [{ ...told, until: 160_000 }]);
});

test("the run keeps each once, with its end, the running ones before all", () => {
  const finding = (key: string, since: number, until: number | null): RunFinding => ({
    code: "GPU_IDLE",
    key,
    text: key,
    host: "a",
    rank: null,
    gpu: null,
    since,
    until,
  });
  let state: RunState = { ...initial, attempt: 1 };
  const tell = (one: RunFinding): void => {
    state = { ...state, findings: findingTold(state, 1, one) };
  };
  tell(finding("first", 1, null));
  for (let n = 0; n < 150; n += 1) {
    tell(finding(`k${n}`, n, null));
    tell(finding(`k${n}`, n, n + 1));
  }
  assert.equal(state.findings?.length, 100);
  assert.deepEqual(
    presentFindings(state).map(({ key }) => key),
    ["first"],
  );
  assert.deepEqual(presentFindings({ ...state, attempt: 2 }), []);
});
