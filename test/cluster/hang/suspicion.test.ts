/** Two looks make a hang only when nothing moved between them, or when it has lasted beyond all patience. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Look } from "../../../cluster/hang/look.ts";
import type { Overdue } from "../../../cluster/hang/progress.ts";
import { BUSY_MS, hasMoved, judgeLooks } from "../../../cluster/hang/suspicion.ts";
import { ALL_REDUCE, LOAD, look, process, waiting } from "./looks.ts";

const overdue = (more: Partial<Overdue> = {}): Overdue => ({
  quietMs: 61_000,
  limitMs: 60_000,
  stage: "training",
  by: "run",
  onlyInCollective: false,
  ...more,
});
const at = (ms: number, seen: Look): Look => ({ ...seen, at: ms, until: ms });
const stuck = look([waiting(0), { rank: 1, host: "b", main: process(LOAD) }]);
const elsewhere = look([waiting(0), { rank: 1, host: "b", main: process(["load.py:90:load", "train.py:100:main"]) }]);

test("two looks that agree are a hang; its evidence begins with how long, where and by which limit", () => {
  const verdict = judgeLooks(at(0, stuck), at(5000, stuck), overdue(), 5000);
  assert.equal(verdict?.rank, 1);
  assert.match(verdict?.text ?? "", /^rank 1 on b is in load\.py:88 \(load\); rank 0 on a waits for it in all_reduce/);
  assert.equal(verdict?.evidence[0], "no progress for 1 min 6 s in training (limit 1 min 0 s, learned from this run)");
});

test("a rank that got anywhere in between is no hang, until patience ends or the file says when", () => {
  assert.equal(judgeLooks(at(0, elsewhere), at(5000, stuck), overdue(), 5000), null);
  assert.notEqual(judgeLooks(at(0, elsewhere), at(5000, stuck), overdue({ quietMs: BUSY_MS }), 5000), null);
  assert.match(judgeLooks(at(0, elsewhere), at(5000, stuck), overdue({ by: "file" }), 5000)?.evidence[0] ?? "", /as the file says/);
});

test("a spinning wait moves nowhere; a loop that sleeps again and again does", () => {
  const spin = look([{ rank: 0, host: "a", main: process(ALL_REDUCE, { cpus: 1 }) }]);
  assert.equal(hasMoved(at(0, spin), at(5000, spin)), false);
  const loop = look([{ rank: 0, host: "a", main: process(ALL_REDUCE, { switches: 500 }) }]);
  assert.equal(hasMoved(at(0, spin), at(5000, loop)), true);
});

test("where no stack can be read the CPU counts; the stopped and the dead do not move; a new process does", () => {
  const blind = (cpus: number, more = {}): Look => look([{ rank: 0, host: "a", main: process([], { cpus, ...more }) }]);
  assert.equal(hasMoved(at(0, blind(0.5)), at(5000, blind(0.5))), true);
  assert.equal(hasMoved(at(0, blind(0)), at(5000, blind(0))), false);
  assert.equal(hasMoved(at(0, blind(0.5)), at(5000, blind(0.5, { state: "T" }))), false);
  assert.equal(hasMoved(at(0, blind(0)), at(5000, blind(0, { pid: 101 }))), true);
  assert.equal(hasMoved(at(0, look([])), at(5000, blind(0))), true, "a rank that was not seen before");
});

test("where only a collective makes it a hang, one rank that is elsewhere or one silent host makes it none", () => {
  const all = look([waiting(0), waiting(1)]);
  const early = overdue({ quietMs: 301_000, limitMs: 300_000, stage: "saving", by: "default", onlyInCollective: true });
  const verdict = judgeLooks(at(0, all), at(5000, all), early, 5000);
  assert.equal(verdict?.evidence[0], "no progress for 5 min 6 s since a line about saving (limit 5 min 0 s, the default for a collective)");
  for (const other of [stuck, { ...all, silent: [{ host: "b", why: "no link" }] }]) {
    assert.equal(judgeLooks(at(0, all), at(5000, other), early, 5000), null);
    assert.equal(judgeLooks(at(0, other), at(5000, all), early, 5000), null);
  }
});
