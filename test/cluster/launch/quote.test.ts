/** Whatever a word is, a shell reads it back. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import fc from "fast-check";
import { quote } from "../../../cluster/launch/quote.ts";

const word = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string(),
  fc.constantFrom("", "'", "a b", "$HOME", "`id`", "\n", "-n", "~", "*", '"', "\\", "a'b'c", "#x", "é"),
);

test("sh gets every word back byte for byte", () => {
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 20 }), (raw) => {
      // A process can be given neither NUL nor half a surrogate pair.
      const words = raw.map((each) => each.replaceAll("\0", "").toWellFormed());
      const out = execFileSync("/bin/sh", ["-c", `for word in ${words.map(quote).join(" ")}; do printf '%s\\0' "$word"; done`], { encoding: "utf8" });
      assert.deepEqual(out.split("\0").slice(0, -1), words);
    }),
    { numRuns: 60 },
  );
});

test("plain words stay readable", () => {
  assert.equal(quote("--rdzv-endpoint=10.0.0.1:29400"), "--rdzv-endpoint=10.0.0.1:29400");
  assert.equal(quote("=eth0"), "'=eth0'");
  assert.equal(quote("it's"), `'it'\\''s'`);
});
