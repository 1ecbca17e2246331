/** What the chaos runs rest on: a seed that chooses the same again, bytes that are known, a table that hides nothing. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { hostFaults } from "../chaos/host-faults.ts";
import { luckOf } from "../chaos/luck.ts";
import { processFaults } from "../chaos/process-faults.ts";
import { asMarkdown, asText } from "../chaos/table.ts";
import { expected, LINE, readNote } from "../chaos/trainer.ts";
import type { Result } from "../chaos/trial.ts";

test("a seed chooses the same again, another one something else", () => {
  const all = Array.from({ length: 50 }, (_, k) => k);
  assert.deepEqual(luckOf(7).shuffle(all), luckOf(7).shuffle(all));
  assert.notDeepEqual(luckOf(7).shuffle(all), luckOf(8).shuffle(all));
  assert.deepEqual(
    [...luckOf(7).shuffle(all)].sort((a, b) => a - b),
    all,
  );
});

test("any piece of what the trainer writes is known", () => {
  const whole = expected(0, 10 * LINE);
  assert.equal(whole.length, 10 * LINE);
  assert.deepEqual(expected(100, 333), whole.subarray(100, 333));
  assert.deepEqual(expected(64, 64), Buffer.alloc(0));
});

test("a note that is not there yet is none", () => {
  assert.equal(readNote(""), null);
  assert.deepEqual(readNote("1.500 2.500          128     4711        5"), { firstAt: 1500, lastAt: 2500, size: 128, pid: 4711, begin: 5 });
});

test("a surprise is counted against its fault", () => {
  const result: Result = { fault: "rank-kill", who: "", run: "", attempt: 1, outcome: "", detectMs: 100, recoverMs: 2000, surprises: [], timeline: "" };
  const results = [result, { ...result, detectMs: 300, recoverMs: null, surprises: ["x"] }];
  assert.match(asText(processFaults, results), /SIGKILL.* 2 +1 +0\.10 +0\.30 +2\.00 +2\.00/);
  assert.match(asMarkdown(hostFaults, results), /^\| fault .*\n\| --- \| --- \| ---: /);
});

test("every fault has a name of its own and a word for what must come of it", () => {
  const faults = [...processFaults, ...hostFaults];
  assert.equal(new Set(faults.map(({ name }) => name)).size, faults.length);
  for (const fault of faults)
    assert.ok(fault.expect === "untouched" ? fault.sign !== undefined : fault.kinds !== undefined || fault.name === "two", fault.name);
});
