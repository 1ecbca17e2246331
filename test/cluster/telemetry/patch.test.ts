/** A patch leads from any sample to any other, and from a hostile one nowhere else. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { applyPatch, diff } from "../../../cluster/telemetry/patch.ts";

const key = fc.oneof(fc.constantFrom("a", "b", "constructor", "toString"), fc.string({ maxLength: 4 })).filter((name) => name !== "__proto__");
const tree = fc.letrec<{ map: Record<string, unknown> }>((tie) => ({
  map: fc.dictionary(key, fc.oneof({ depthSize: "small" }, fc.integer(), fc.string(), fc.boolean(), fc.array(fc.integer()), tie("map")), {
    maxKeys: 5,
    noNullPrototype: true,
  }),
})).map;

test("a patch leads from one sample to the next, over JSON, and is empty between equal ones", () => {
  fc.assert(
    fc.property(tree, tree, (before, after) => {
      const patch = JSON.parse(JSON.stringify(diff(before, after)));
      assert.deepEqual(applyPatch(before, patch), after);
      assert.deepEqual(diff(after, structuredClone(after)), {});
    }),
  );
});

test("no patch reaches a prototype, and none changes what it is applied to", () => {
  const before = Object.freeze({ gpus: Object.freeze({ a: Object.freeze({ use: 1 }) }) });
  const after = applyPatch(before, JSON.parse('{"__proto__": {"use": 7}, "gpus": {"__proto__": {"use": 7}, "constructor": {"prototype": {"use": 7}}}}'));
  assert.equal(({} as { use?: number }).use, undefined);
  assert.equal(Object.getPrototypeOf(after), Object.prototype);
  assert.deepEqual(before, { gpus: { a: { use: 1 } } });
});
