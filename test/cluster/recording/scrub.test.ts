/** No secret gets into a recording, and nothing that a run tells of its progress is taken for one; bounds keep the beginning and the end. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { keepLines, thinPoints } from "../../../cluster/recording/bound.ts";
import { scrub, scrubLines } from "../../../cluster/recording/scrub.ts";
import { recordingOf, said } from "../../support/recordings.ts";

const KNOWN = { "*": { PIN: "correct horse battery" } };

test("a value that is known, or stands under a telling name, is gone wherever it stands; the rest is as it was", () => {
  const spec = { env: { HF_TOKEN: "hf-abcdef-123456", MODE: "fast" }, args: ["--pin", "correct horse battery"], secretNames: { "*": ["HF_TOKEN"] }, at: 12 };
  const out = scrub(spec, KNOWN);
  assert.doesNotMatch(JSON.stringify(out), /abcdef|battery/);
  assert.deepEqual([out.env.MODE, out.secretNames, out.at], ["fast", { "*": ["HF_TOKEN"] }, 12]);
  const { events } = recordingOf("failed");
  assert.deepEqual(scrub(events, KNOWN), events);
});

test("a private key that a log shows is gone with all its lines, another rank's lines between them are not", () => {
  const hide = scrubLines({});
  const texts = ["a", "-----BEGIN OPENSSH PRIVATE KEY-----", "b3BlbnNzaC1rZXk", "AAAAB3NzaC1", "-----END OPENSSH PRIVATE KEY-----", "z"];
  const out = texts.flatMap((text, k) => [hide(said(0, k, text)).text, hide(said(1, k, `step ${k}`)).text]);
  assert.doesNotMatch(out.join("\n"), /b3Blbn|AAAAB3|BEGIN/);
  assert.deepEqual([out[0], out.at(-2), out.filter((text) => text.startsWith("step")).length], ["a", "z", 6]);
});

test("what trainers print of tokens is no secret", () => {
  const hide = scrubLines({});
  for (const text of [
    "step 10 tokens_per_second=12345.67",
    "tokens per_second 123456",
    "tokens/s: 1.2345e+06",
    "loading tokenizer from_pretrained",
    "global tokens seen: 1234567",
  ])
    assert.equal(hide(said(0, 1, text)).text, text);
  for (const text of ["token=deadbeef12", "API_TOKENS=abcdef12", "password: 1234abcd"])
    assert.doesNotMatch(hide(said(0, 1, text)).text, /deadbeef|abcdef|1234ab/);
});

test("of too many lines the beginning and the end stay, within the bound, and a gap says how many went", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(400), { maxLength: 400 }), fc.integer({ min: 2000, max: 40_000 }), (sizes, most) => {
      const keeper = keepLines(most);
      const all = sizes.map((size, k) => said(0, k, `${k} ${"x".repeat(size)}`));
      for (const line of all) keeper.push(line);
      const { lines, left } = keeper.end();
      const kept = lines.filter(({ gap }) => gap === undefined);
      assert.equal(kept.length + left, all.length);
      assert.ok(kept.reduce((sum, { text }) => sum + text.length, 0) <= most);
      const times = kept.map(({ at }) => at);
      assert.deepEqual(
        times,
        times.toSorted((a, b) => a - b),
      );
      if (all.length > 0) assert.equal(kept.at(-1), all.at(-1));
      assert.equal(lines.length - kept.length, left > 0 ? 1 : 0);
    }),
  );
});

test("of too many points the newest half stays whole", () => {
  const points = recordingOf("failed").points;
  const many = Array.from({ length: 1000 }, (_, k) => ({ ...(points[0] ?? assert.fail()), heardAt: k }));
  const kept = thinPoints(many, 100);
  assert.ok(kept.length <= 100);
  assert.deepEqual(kept.slice(-50), many.slice(-50));
  assert.equal(kept[0], many[0]);
  assert.equal(thinPoints(many, 1000), many);
});
