/** When a run counts as overdue: learned from its own pace, never while it gets on. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { COLLECTIVE_MS, FIRST_STEP_MS, LEAST_MS, type Progress, UNKNOWN_PHASE_MS, watchProgress } from "../../../cluster/hang/progress.ts";
import { kindOf } from "../../../cluster/steps/line-kind.ts";

const AUTO = { hangMs: null, firstStepMs: null };
const isDue = (progress: Progress, at: number): boolean => progress.due(at)?.onlyInCollective === false;

/** Steps of one rank, one each `paceMs`; returns the time of the last. */
function train(progress: Progress, steps: number, paceMs: number, from = 0): number {
  for (let k = 1; k <= steps; k += 1) progress.line("r0", `step ${k + from} loss ${(3 / (k + 1)).toFixed(3)}`, from + k * paceMs);
  return from + steps * paceMs;
}

test("the lines of trainers are read for what they are", () => {
  for (const [line, kind] of [
    ["step 12 loss 2.31", "step"],
    ["Epoch 3 [120/400] loss=1.2", "step"],
    [" 12%|█▏        | 120/1000 [01:10<08:30,  1.72it/s]", "step"],
    ["{'loss': 0.53, 'grad_norm': 1.2, 'learning_rate': 5e-05, 'epoch': 0.4}", "step"],
    ["iteration 100/5000 | elapsed time per iteration (ms): 300.1 | lm loss: 8.1", "step"],
    ["***** Running Evaluation *****", "evaluation"],
    ["Saving model checkpoint to out/checkpoint-500", "saving"],
    ["[W] still waiting for rank 3", "noise"],
    ["Watchdog caught collective operation timeout", "noise"],
    ["", "noise"],
    ["hello", "text"],
  ] as const) {
    assert.equal(kindOf(line), kind, line);
  }
});

test("before the first step there is time for compilation; the file may say how much", () => {
  const progress = watchProgress(AUTO, 0);
  progress.line("r0", "loading weights", 1000);
  assert.equal(isDue(progress, 1000 + FIRST_STEP_MS), false);
  assert.deepEqual(progress.due(1001 + FIRST_STEP_MS), {
    quietMs: FIRST_STEP_MS + 1,
    limitMs: FIRST_STEP_MS,
    stage: "first-step",
    by: "default",
    onlyInCollective: false,
  });
  const given = watchProgress({ hangMs: 5000, firstStepMs: 30_000 }, 0);
  assert.equal(isDue(given, 30_000), false);
  assert.equal(isDue(given, 30_001), true);
});

test("a limit of five pauses is learned, never under a minute; a limit of the file holds at once", () => {
  const slow = watchProgress(AUTO, 0);
  const last = train(slow, 20, 40_000);
  assert.equal(isDue(slow, last + 200_000), false);
  assert.equal(isDue(slow, last + 200_001), true);
  const fast = watchProgress(AUTO, 0);
  const end = train(fast, 7000, 10);
  assert.equal(isDue(fast, end + LEAST_MS), false);
  assert.equal(isDue(fast, end + LEAST_MS + 1), true);
  const given = watchProgress({ hangMs: 5000, firstStepMs: null }, 0);
  const done = train(given, 1, 1000);
  assert.deepEqual(given.due(done + 5001), { quietMs: 5001, limitMs: 5000, stage: "training", by: "file", onlyInCollective: false });
});

test("a pace is trusted only after a minute of it", () => {
  const progress = watchProgress(AUTO, 0);
  const last = train(progress, 100, 100);
  assert.equal(isDue(progress, last + FIRST_STEP_MS), false);
  assert.equal(isDue(progress, last + FIRST_STEP_MS + 1), true);
});

test("many ranks that write at once do not make the run look faster than it is", () => {
  const progress = watchProgress(AUTO, 0);
  for (let step = 1; step <= 20; step += 1)
    for (let rank = 0; rank < 200; rank += 1) progress.line(`r${rank}`, `step ${step} rank ${rank}`, step * 40_000 + rank);
  assert.equal(isDue(progress, 20 * 40_000 + 200_000), false);
});

test("evaluation and saving have limits of their own, learned from the longest that ended", () => {
  const progress = watchProgress(AUTO, 0);
  let at = train(progress, 700, 100);
  progress.line("r0", "Running evaluation", at + 100);
  assert.equal(isDue(progress, at + 100 + UNKNOWN_PHASE_MS), false);
  assert.equal(progress.due(at + 101 + UNKNOWN_PHASE_MS)?.stage, "evaluation");
  at += 100 + 300_000;
  progress.line("r0", "step 701 loss 0.1", at);
  assert.equal(isDue(progress, at + LEAST_MS + 1), true, "the evaluation is over");
  progress.line("r0", "Running evaluation once more", at + 100);
  assert.equal(isDue(progress, at + 100 + 900_000), false);
  assert.equal(isDue(progress, at + 101 + 900_000), true);
});

test("the same words again and again, or words of waiting, are no progress", () => {
  const progress = watchProgress(AUTO, 0);
  const at = train(progress, 700, 100);
  for (let k = 1; k < 700; k += 1) {
    progress.line("r1", "retrying in 100 ms, attempt failed", at + k * 100);
    progress.line("r2", "INFO nothing new", at + k * 100);
  }
  assert.equal(isDue(progress, at + 70_000), true);
});

test("time in which nobody listened does not count", () => {
  const progress = watchProgress(AUTO, 0);
  const at = train(progress, 700, 100);
  progress.forgive(at + 8 * 3_600_000);
  assert.equal(isDue(progress, at + 8 * 3_600_000 + LEAST_MS), false);
  assert.equal(progress.movedSince(at), false);
});

test("a run with a regular pace is never overdue, however many ranks it has and however often its controller sleeps", () => {
  const event = fc.oneof(
    { weight: 8, arbitrary: fc.constant({ sleepMs: 0 }) },
    { weight: 1, arbitrary: fc.record({ sleepMs: fc.integer({ min: 0, max: 8 * 3_600_000 }) }) },
  );
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 10, max: FIRST_STEP_MS }),
      fc.array(event, { minLength: 10, maxLength: 120 }),
      (ranks, paceMs, events) => {
        const progress = watchProgress(AUTO, 0);
        let now = 0;
        let step = 0;
        const backlog: number[] = [];
        for (const { sleepMs } of events) {
          // While it sleeps the ranks go on; what they wrote arrives afterwards, all at once.
          for (let passed = 0; passed + paceMs <= sleepMs && backlog.length < 50; passed += paceMs) backlog.push(0);
          now += sleepMs;
          if (sleepMs > 0) progress.forgive(now);
          assert.equal(isDue(progress, now), false, `after ${sleepMs} ms of sleep`);
          for (const _ of [...backlog.splice(0), 0]) {
            step += 1;
            for (let rank = 0; rank < ranks; rank += 1) progress.line(`r${rank}`, `step ${step} loss ${1 / step}`, now);
          }
          assert.equal(isDue(progress, now + paceMs), false, `pace ${paceMs}`);
          now += paceMs;
        }
      },
    ),
    { numRuns: 300 },
  );
});

test("after a first step, five minutes are enough for ranks that all stand in a collective, whatever they last spoke of; not where the file gives a limit", () => {
  for (const last of ["step 2 loss 1.0", "checkpoint=/ckpt/step-60 step=60", "Saving model checkpoint to out", "***** Running Evaluation *****"]) {
    const progress = watchProgress(AUTO, 0);
    progress.line("r0", "step 1 loss 2.0", 1000);
    progress.line("r0", last, 2000);
    assert.equal(progress.due(2000 + COLLECTIVE_MS), null);
    const due = progress.due(2001 + COLLECTIVE_MS);
    assert.deepEqual([due?.onlyInCollective, due?.by, due?.limitMs], [true, "default", COLLECTIVE_MS], last);
    assert.equal(progress.due(2001 + UNKNOWN_PHASE_MS)?.onlyInCollective, false);
  }
  const fresh = watchProgress(AUTO, 0);
  fresh.line("r0", "loading weights", 1000);
  assert.equal(fresh.due(1001 + COLLECTIVE_MS), null, "a first step may begin with a broadcast of everything");
  const given = watchProgress({ hangMs: 3_600_000, firstStepMs: null }, 0);
  given.line("r0", "step 1 loss 2.0", 1000);
  assert.equal(given.due(1001 + COLLECTIVE_MS), null);
});
