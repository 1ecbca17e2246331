/** Thinning and totals: what a minute is made of, and what a run has taken. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { NOTHING, type Sample } from "../../../cluster/telemetry/sample.ts";
import { fold } from "../../../cluster/telemetry/thin.ts";
import { addSample, NO_TOTALS, sumTotals } from "../../../cluster/telemetry/totals.ts";

const of = (gpu: Sample["gpus"][string], more: Partial<Sample> = {}): Sample => ({ ...NOTHING, ...more, gpus: { g: gpu } });

test("means of what flows, the highest of what must fit, the last of what counts; what the last does not know is not known", () => {
  const folded = fold([of({ use: 0, memoryUsedMiB: 900, eccCorrected: 1, powerW: 100 }), of({ use: 100, memoryUsedMiB: 100, eccCorrected: 5, powerW: 300 })]);
  assert.deepEqual(folded?.gpus.g, { use: 50, memoryUsedMiB: 900, eccCorrected: 5, powerW: 200 });
  const down = fold([of({ use: 100, powerW: 300 }), of({ down: "lost" })]);
  assert.deepEqual(down?.gpus.g, { down: "lost" }, "no number stands still");
  assert.equal(fold([]), null);
});

test("energy is power over time between samples; where power is not known there is none, and it is said", () => {
  const gpus = new Set(["g"]);
  let totals = addSample(NO_TOTALS, 0, 1000, of({ powerW: 360 }), gpus);
  for (let k = 1; k <= 10; k++) totals = addSample(totals, k, 1000 + k * 1000, of({ powerW: 360 }), gpus);
  assert.equal(totals.joules, 3600);
  const unmeasured = addSample(totals, 11, 12_000, of({}), gpus);
  assert.deepEqual([unmeasured.gpuSeconds, unmeasured.measuredSeconds, unmeasured.joules], [11, 10, 3600]);
  assert.equal(addSample(totals, 5, 6000, of({ powerW: 9999 }), gpus), totals, "a sample that came twice counts once");
  assert.equal(addSample(totals, 11, 999_000, of({ powerW: 360 }), gpus).joules, 3600, "nobody knows what was in a long gap");
  assert.equal(addSample(totals, 11, 12_000, of({ powerW: 360 }), new Set()).joules, 3600, "GPUs that are not held are somebody else's");
  const sum = sumTotals([totals, totals]);
  assert.deepEqual([sum.energyKwh, sum.gpuHours, sum.measuredShare], [0.002, 20 / 3600, 1]);
  assert.deepEqual(sumTotals([]), { gpuHours: 0, energyKwh: null, measuredShare: null });
});
