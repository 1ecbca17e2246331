/** Hosts that are not heard: what the others see of them is told everywhere, and a run without some of them says so. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { TAKEN_OVER } from "../../../cluster/protocol.ts";
import type { RunEvent } from "../../../cluster/run/events.ts";
import { reduce, replay } from "../../../cluster/run/reduce.ts";
import type { RunState } from "../../../cluster/run/state.ts";
import { describeEvent } from "../../../cluster/view/event-line.ts";
import { runTable } from "../../../cluster/view/run-table.ts";
import { statusLines } from "../../../cluster/view/status.ts";
import { summarise } from "../../../cluster/view/summarise.ts";
import { lifeOf, SPEC } from "../../support/fake-controller.ts";
import { play } from "../run/play.ts";

test("what the other hosts see of a silent one is in status, ps and the lines of a watch, and goes when it is heard", () => {
  const at = lifeOf(SPEC, "running").at(-1)?.at ?? 0;
  const unseen: RunEvent = { at, type: "host-unseen", host: "gpu-b", why: "nothing heard for 6 s" };
  const witnessed: RunEvent = { at: at + 1000, type: "host-witnessed", host: "gpu-b", saw: "alive", by: ["gpu-a"] };
  const before = replay([...lifeOf(SPEC, "running"), unseen]);
  const state = reduce(before, witnessed);
  const says = "gpu-a reaches it: the host is alive, its agent or the link from here is gone; nothing is restarted";
  assert.deepEqual(describeEvent(before, state, witnessed), [`gpu-b: ${says}`]);
  assert.ok(statusLines(state, at + 21_000).includes(`  gpu-b: nothing heard; ${says} (the same for 20 s)`), statusLines(state, at + 21_000).join("\n"));
  assert.match(runTable([summarise(state)], at + 21_000)[1] ?? "", / running .* gpu-b: unseen for 21 s \(nothing heard; gpu-a reaches it\)$/);
  const again: RunEvent = { ...unseen, at: at + 2000, why: "no route" };
  assert.deepEqual(describeEvent(state, reduce(state, again), again), ["gpu-b: still no word from its agent (no route)"], "no contradiction of the witness");
  for (const by of [{ at, type: "host-seen", host: "gpu-b" } as const, { at, type: "controller-started", controller: "c", epoch: 1 } as const])
    assert.doesNotMatch([...statusLines(reduce(state, by), at), ...runTable([summarise(reduce(state, by))], at)].join("\n"), /reaches it/);
});

test("a run that went on with fewer hosts says how many of how many; spares do not count", () => {
  const cell = (state: RunState): string => runTable([summarise(state)], 1)[1]?.match(/running +(\d+(?: of \d+)?) /)?.[1] ?? "";
  const run = play({ onHostLoss: "shrink", minHosts: 2, spares: ["d"] });
  assert.equal(cell(run.state()), "3");
  run.loses("c");
  run.again();
  assert.equal(cell(run.state()), "2 of 3");
});

test("how long ranks have been quiet is counted from their own attempt, never from what the one before wrote", () => {
  const run = play({});
  const quiet = (wroteAt: number | null, now: number): readonly string[] =>
    statusLines(run.state(), now, { wroteAt }).filter((line) => /wrote|written anything/.test(line));
  const before = run.state().phaseAt;
  assert.deepEqual(quiet(before, before + 40_000), ["ranks last wrote 40 s ago"]);
  run.fails();
  run.pass(100_000);
  run.again();
  const now = run.state().phaseAt;
  assert.deepEqual(quiet(before, now + 5000), []);
  assert.deepEqual(quiet(before, now + 20_000), ["no rank has written anything since all were started 20 s ago"]);
  assert.deepEqual(quiet(now + 1000, now + 21_000), ["ranks last wrote 20 s ago"]);
});

test("what is found while a run goes on stands in ps until it is over", () => {
  const run = play({});
  const row = (): string => runTable([summarise(run.state())], 1000)[1] ?? "";
  const finding = { code: "HOST_DISK_FULL", key: "k", text: "a: /data is full", host: "a", rank: null, gpu: null, since: 1, until: null };
  run.tell({ type: "finding", attempt: 1, finding });
  assert.match(row(), / running .* a: \/data is full$/);
  run.tell({ type: "finding", attempt: 1, finding: { ...finding, code: "NIC_ERRORS", key: "l", text: "b: eth0 counted 12 errors" } });
  assert.match(row(), / b: eth0 counted 12 errors \(and 1 more: status\)$/);
  for (const key of ["k", "l"]) run.tell({ type: "finding", attempt: 1, finding: { ...finding, key, until: 5 } });
  assert.doesNotMatch(row(), /full|more/);
});

test("a host that goes over to another controller is not silent, and nobody is asked about it", () => {
  const state = replay(lifeOf(SPEC, "running"));
  const gone: RunEvent = { at: 1, type: "host-unseen", host: "gpu-a", why: TAKEN_OVER };
  assert.deepEqual(describeEvent(state, reduce(state, gone), gone), ["gpu-a: another controller has taken over; training goes on"]);
});

test("ps of a run that waits for a lost host says that it waits, and what ended the attempt", () => {
  const run = play({ max: 1, onHostLoss: "wait" });
  run.loses("b");
  const row = runTable([summarise(run.state())], 1000)[1] ?? "";
  assert.match(row, / recovering .*; waiting for b \(no word from b\) to come back$/);
  run.returns("b");
  assert.doesNotMatch(runTable([summarise(run.state())], 1000)[1] ?? "", /waiting for/);
});
