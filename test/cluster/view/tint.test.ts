/** Colours by meaning: without them the line is what it was, and words in a sentence stay plain. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { withoutColour } from "../../../cluster/sanitise.ts";
import { runTable } from "../../../cluster/view/run-table.ts";
import { tint } from "../../../cluster/view/tint.ts";

const ROW = { run: "train_1", name: "demo", hosts: 2, ranks: 2, attempt: 1, requestedAt: 1, endedAt: 2, file: null, by: "t" };

/** ESC as it is often written. */
const seen = (line: string): string => tint(line).replaceAll("\u001b", "^");

test("phases by what they are, the head dim, the reason plain", () => {
  const [head = "", good = "", bad = ""] = runTable(
    [
      { ...ROW, phase: "succeeded", failure: null },
      { ...ROW, phase: "failed", failure: "rank 0 failed while running" },
    ],
    10,
  );
  assert.match(seen(head), /^\^\[2mRUN/);
  assert.match(seen(good), /\^\[32msucceeded\^\[0m/);
  assert.match(seen(bad), /\^\[31mfailed\^\[0m .*rank 0 failed while running$/);
  assert.match(seen("failure: it broke"), /^\^\[31mfailure: it broke\^\[0m$/);
  assert.match(seen("gpu-a  armed  lost  ssh2"), / {2}\^\[31mlost\^\[0m {2}/);
});

test("only colours are added, and each is ended", () => {
  const words = fc.array(fc.oneof(fc.constantFrom("running", "failed", "lost", "up", "RUN", "PHASE", " ", "  ", "! "), fc.string()));
  fc.assert(
    fc.property(words, (parts) => {
      const line = parts.join("  ").replaceAll("\u001b", "");
      const tinted = tint(line);
      assert.equal(withoutColour(tinted), line);
      assert.equal(tinted.split("\u001b[0m").length * 2 - 1, tinted.split("\u001b[").length);
    }),
  );
});
