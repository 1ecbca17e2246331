/** The recordings of real runs that screens are tested with: they are what their names say, small, and tell nothing of the machine they were made on. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { makeTimeline } from "../../cluster/recording/timeline.ts";
import { hostsOf } from "../../cluster/run/state.ts";
import { modelAt, openRecorded, RECORDED, recordingPath } from "./support/recorded.ts";

test("each is small and has no path or name of the machine that made it", () => {
  for (const name of RECORDED) {
    const packed = readFileSync(recordingPath(name));
    assert.ok(packed.length < 200_000, name);
    assert.doesNotMatch(gunzipSync(packed).toString(), /"\/(work|tmp\/(?!nexadist-)\w)|nexadist-lab|id_ed25519|PRIVATE KEY/, name);
  }
});

const ends = (name: (typeof RECORDED)[number]) => {
  const timeline = makeTimeline(openRecorded(name));
  return { crashAt: timeline.crashAt, state: timeline.stateAt(timeline.to) };
};

test("healthy: six ranks, a good end, nothing went wrong", () => {
  const { crashAt, state } = ends("healthy");
  assert.deepEqual([crashAt, state.phase, state.attempt, state.world], [null, "succeeded", 1, 6]);
});

test("worker-killed: a rank was killed by SIGKILL, and the second attempt went on from a checkpoint to a good end", () => {
  const { crashAt, state } = ends("worker-killed");
  assert.deepEqual([crashAt !== null, state.phase, state.attempt, state.past[0]?.cause.rank], [true, "succeeded", 2, 3]);
  assert.match(state.past[0]?.cause.text ?? "", /SIGKILL/);
  assert.notEqual(state.checkpoint, null);
});

test("host-pulled: a host is lost and owes its receipt, the second attempt went on without it", () => {
  const { state } = ends("host-pulled");
  assert.deepEqual([state.phase, state.attempt, state.members], ["succeeded", 2, ["gpu-a", "gpu-b"]]);
  assert.equal(hostsOf(state).find(({ name }) => name === "gpu-c")?.receipt, "unknown");
});

test("failed: the same exception twice ends it", () => {
  const { state } = ends("failed");
  assert.deepEqual([state.phase, state.attempt], ["failed", 2]);
  assert.match(state.failure?.text ?? "", /RuntimeError/);
});

test("a model in the middle of one: GPUs at work with their ranks, and a pace", () => {
  const { run } = modelAt("healthy", 30_000);
  assert.ok(run !== null);
  assert.deepEqual([run.state.phase, run.readings.length, run.pace?.total], ["running", 3, 75]);
  assert.ok(run.readings.some(({ sample }) => Object.values(sample?.gpus ?? {}).some(({ use }) => (use ?? 0) > 80)));
  assert.ok(run.log.tail(10).length === 10);
});
