/** From samples to events of a run: only while it is running, each attempt anew, steps and what ranks say taken from the same watch as the hang's. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunEvent } from "../../../cluster/run/events.ts";
import { reduce, replay } from "../../../cluster/run/reduce.ts";
import type { RunState } from "../../../cluster/run/state.ts";
import { watchPace } from "../../../cluster/steps/pace.ts";
import { readLine } from "../../../cluster/steps/read-line.ts";
import { NOTHING } from "../../../cluster/telemetry/sample.ts";
import { findInSamples } from "../../../controller/daemon/run-findings.ts";
import { requested } from "../../cluster/run/model.ts";

const initial = replay([requested(2)]);
const rank = (number: number, host: string) => ({ rank: number, host, pid: 7 + number, startedAt: 0, exit: null });

function rig() {
  const it = {
    state: { ...initial, phase: "running", attempt: 1, members: ["a", "b"], runningAt: 0, ranks: { 0: rank(0, "a"), 1: rank(1, "b") } } as RunState,
    pace: watchPace(),
    events: [] as RunEvent[],
  };
  const take = findInSamples(() => ({
    state: () => it.state,
    pace: () => it.pace,
    apply: (event) => {
      it.events.push(event);
      it.state = reduce(it.state, event);
    },
  }));
  let seq = 0;
  /** Samples of both hosts, one a second for so long. */
  const pass = (seconds: number, from: number): void => {
    for (let s = 0; s < seconds; s += 1) for (const host of ["a", "b"]) take(host, { seq: seq++, at: from + s * 1000, sample: NOTHING });
  };
  return { it, pass };
}
const say = (it: ReturnType<typeof rig>["it"], number: number, busy: number): void =>
  it.pace.say(number, readLine(`nexadist: step=1 busy=${busy}`).said ?? assert.fail(), 0);

test("a slow rank becomes an event of the run, once, and the run knows it", () => {
  const { it, pass } = rig();
  say(it, 0, 0.1);
  say(it, 1, 0.3);
  pass(200, 0);
  const [event, ...more] = it.events;
  assert.deepEqual(more, []);
  assert.equal(event?.type === "finding" && event.finding.code, "STRAGGLER");
  assert.deepEqual(
    it.state.findings?.map(({ host, rank: number, attempt, until }) => [host, number, attempt, until]),
    [["b", 1, 1, null]],
  );
});

test("another attempt begins anew; a run that is not running is not judged", () => {
  const { it, pass } = rig();
  say(it, 0, 0.1);
  say(it, 1, 0.3);
  it.state = { ...it.state, phase: "stopping" };
  pass(200, 0);
  assert.equal(it.events.length, 0);
  it.state = { ...it.state, phase: "running" };
  pass(70, 200_000);
  it.state = { ...it.state, attempt: 2 };
  pass(30, 270_000);
  assert.equal(it.events.length, 1);
  pass(60, 300_000);
  assert.deepEqual(
    it.events.map((event) => event.type === "finding" && event.attempt),
    [1, 2],
  );
});
