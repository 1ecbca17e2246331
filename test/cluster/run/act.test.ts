/** What a person does to a live run: what each act brings about, when it is refused and what helps then. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Act, judgeAct } from "../../../cluster/run/act.ts";
import { recordOf } from "../../../cluster/run/record.ts";
import { reduce, replay, start } from "../../../cluster/run/reduce.ts";
import type { RecordedState, RunState } from "../../../cluster/run/state.ts";
import { wanted } from "../../../cluster/run/wanted.ts";
import { describeEvent } from "../../../cluster/view/event-line.ts";
import { hostStep } from "../../../cluster/view/host-line.ts";
import { goodRun } from "./model.ts";
import { play } from "./play.ts";

type Run = ReturnType<typeof play>;
const does = (run: Run, act: Act): string => {
  const judged = judgeAct(run.state(), act);
  assert.ok(judged.ok, JSON.stringify(judged));
  run.tell({ type: "acted", act, by: "me" });
  return judged.text;
};
const refuses = (state: RunState, act: Act): string => {
  const judged = judgeAct(state, act);
  assert.ok(!judged.ok, JSON.stringify(judged));
  const event = { at: 9999, type: "acted", act, by: "me" } as const;
  assert.equal(reduce(state, event), state, "what is refused changes nothing");
  assert.deepEqual(describeEvent(state, state, event), []);
  assert.match(judged.fix, /nexadist|exclude/);
  return judged.why;
};
const asked = { kind: "asked", text: "me asked for another attempt", host: null, rank: null, exitCode: null } as const;

test("restart: the attempt is stopped everywhere with its grace, and the next begins at once, from the checkpoint, without a word of the budget", () => {
  for (const max of [0, 3]) {
    const run = play({ max });
    does(run, { do: "restart" });
    assert.deepEqual([run.state().phase, run.state().trouble?.kind, run.state().verdict], ["stopping", "asked", null]);
    const stops = wanted(run.state()).flatMap((effect) => (effect.do === "stop" ? [effect.graceMs] : []));
    assert.deepEqual(stops, [30_000, 30_000, 30_000]);
    run.endAll();
    run.diagnose(asked, 40, 1);
    assert.deepEqual([run.state().spent, run.state().recoverAt], [0, 1000], "no pause");
    run.again();
    assert.deepEqual([run.state().attempt, run.state().spent, run.state().past.length], [2, 0, 1]);
  }
});

test("restart: a second wish for the same attempt is refused, and one for an attempt that is over never ends the next", () => {
  const run = play();
  does(run, { do: "restart", attempt: 1 });
  assert.match(refuses(run.state(), { do: "restart" }), /ended already \(me asked for another attempt\); attempt 2 follows anyway/);
  run.endAll();
  assert.match(refuses(run.state(), { do: "restart", attempt: 1 }), /ended already/);
  run.diagnose(asked);
  run.again();
  assert.match(refuses(run.state(), { do: "restart", attempt: 1 }), /not the present one, that is attempt 2/);
  assert.equal(run.state().phase, "running");
});

test("a failure after it was asked for is no failure; one before it is", () => {
  const run = play({ max: 1 });
  does(run, { do: "restart" });
  run.tell({ type: "rank-exited", host: "a", attempt: 1, rank: 0, code: 1, signal: null, seenAt: 1 });
  assert.equal(run.state().trouble?.kind, "asked");
  const other = play({ max: 1 });
  other.tell({ type: "rank-exited", host: "a", attempt: 1, rank: 0, code: 1, signal: null, seenAt: 1 });
  refuses(other.state(), { do: "restart" });
  assert.equal(other.state().trouble?.kind, "exit");
});

test("stop wins: over every act, before and after", () => {
  const run = play({ spares: ["s"] });
  does(run, { do: "restart" });
  run.tell({ type: "stop-requested", by: "me", why: "", graceMs: 0 });
  for (const act of [{ do: "restart" }, { do: "exclude", host: "b" }, { do: "take-spare", host: "b" }, { do: "nccl-debug", level: "INFO" }] as const)
    assert.equal(refuses(run.state(), act), "it is being stopped");
  run.endAll();
  for (const host of ["a", "b", "c"]) run.tell({ type: "host-drained", host, attempt: 1 });
  assert.deepEqual([run.state().phase, run.state().attempt], ["stopped", 1]);
  assert.equal(refuses(run.state(), { do: "restart" }), "it is over (stopped)");
});

test("refused where it could begin nothing: before the ranks, where a host is silent, without a majority, led elsewhere", () => {
  const events = goodRun();
  const upTo = (type: string): RunState =>
    replay(
      events.slice(
        0,
        events.findIndex((event) => event.type === type),
      ),
    );
  for (const type of ["host-connected", "host-prepared", "host-armed"]) {
    assert.equal(refuses(upTo(type), { do: "restart" }), "no attempt of it runs yet");
    assert.equal(refuses(upTo(type), { do: "exclude", host: "b" }), "no attempt of it runs yet");
  }
  const run = play();
  run.tell({ type: "host-unseen", host: "b", why: "silent" });
  assert.match(refuses(run.state(), { do: "restart" }), /b does not answer/);
  const taken = { ...play().state(), takeover: { at: 0, by: "x", controller: "y", machine: "m", epoch: 1, isWon: false, base: { epoch: 1, seq: 1 } } };
  assert.match(refuses(taken, { do: "restart" }), /a new attempt takes a majority/);
  assert.match(refuses(taken, { do: "exclude", host: "b" }), /a new attempt takes a majority/);
  assert.equal(refuses({ ...play().state(), fenced: { at: 0, controller: "y", machine: "m", epoch: 2 } }, { do: "restart" }), "another controller leads it");
});

test("exclude: a spare takes its rank; without one the run shrinks, whatever the file says of lost hosts; and it never comes back", () => {
  for (const onHostLoss of ["wait", "spare", "shrink", "fail"] as const) {
    const run = play({ spares: ["s"], onHostLoss, max: 0 });
    assert.match(does(run, { do: "exclude", host: "b" }), /attempt 1 is ended, attempt 2 goes on with s in place of b/);
    assert.equal(run.state().phase, "stopping");
    run.endAll();
    run.diagnose({ ...asked, text: "me excluded b", host: "b" });
    assert.deepEqual([run.next(), run.state().spent], ["asc", 0]);
    run.again();
    assert.match(does(run, { do: "exclude", host: "c" }), /goes on on a, s,/);
    run.endAll();
    run.diagnose(asked);
    assert.equal(run.next(), "as", "b is not taken, though it is there and ready");
    assert.deepEqual(
      ["b", "s"].map((name) => hostStep(run.state(), run.state().hosts[name] ?? assert.fail())),
      ["excluded by me", "ended"],
    );
    run.again();
    assert.deepEqual(judgeAct(run.state(), { do: "exclude", host: "c" }), { ok: true, isNew: false, text: "c is excluded already, by me" });
  }
});

test("exclude: as far as min_hosts and no further; the last host stays", () => {
  const run = play({ minHosts: 2 });
  does(run, { do: "exclude", host: "b" });
  run.endAll();
  run.diagnose(asked);
  run.again();
  assert.match(refuses(run.state(), { do: "exclude", host: "c" }), /the file names no spares, and fewer hosts than min_hosts would be left/);
  assert.equal(run.state().phase, "running");
  assert.match(refuses(run.state(), { do: "exclude", host: "x" }), /no host x; it has a, b, c/);
});

test("exclude: a host that is waited for need not be waited for any more", () => {
  const run = play({ onHostLoss: "wait" });
  run.loses("b");
  run.waits();
  assert.match(does(run, { do: "exclude", host: "b" }), /^attempt 2 goes on on a, c/);
  run.again();
  assert.deepEqual(run.state().members, ["a", "c"]);
  run.tell({ type: "host-seen", host: "b" });
  const late = wanted(run.state()).filter((effect) => effect.do === "stop");
  assert.deepEqual(
    late.map((effect) => effect.host),
    ["b"],
    "what it still has is ended when it answers",
  );
  run.returns("b");
  assert.deepEqual(run.state().members, ["a", "c"]);
});

test("take a spare: only with one that is ready; if it is gone by then, another is waited for, or the person excludes", () => {
  const none = play();
  assert.equal(refuses(none.state(), { do: "take-spare", host: "b" }), "the file names no spares");
  const run = play({ spares: ["s"] });
  assert.match(refuses(run.state(), { do: "take-spare", host: "s" }), /takes no part/);
  does(run, { do: "take-spare", host: "b" });
  run.tell({ type: "host-unseen", host: "s", why: "silent" });
  run.endAll();
  run.diagnose(asked);
  assert.match(run.waits(), /b is to be replaced, and no spare is ready/);
  does(run, { do: "exclude", host: "b" });
  assert.equal(run.next(), "ac");
  const other = play({ spares: ["s"] });
  other.tell({ type: "host-unseen", host: "s", why: "silent" });
  assert.equal(refuses(other.state(), { do: "take-spare", host: "b" }), "no spare is ready (s)");
});

test("a spare that is excluded is not taken, and a restarted host that is excluded is not prepared again", () => {
  const run = play({ spares: ["s"], onHostLoss: "shrink" });
  assert.match(does(run, { do: "exclude", host: "s" }), /is not taken any more/);
  assert.equal(run.state().phase, "running", "the attempt goes on");
  assert.match(does(run, { do: "exclude", host: "b" }), /goes on on a, c,/);
  run.endAll();
  run.diagnose(asked);
  run.tell({ type: "host-rebooted", host: "b", attempt: 1, agent: { key: "k2", bundle: "h", pid: 2 } });
  assert.ok(!wanted(run.state()).some((effect) => effect.do === "prepare"));
  run.again();
  assert.deepEqual(run.state().members, ["a", "c"]);
});

test("what was asked for outlives the controller: each host is given the newer record at once, and a takeover goes on from it", () => {
  const run = play({ spares: ["s"], onHostLoss: "spare" });
  const records = (): string[] => wanted(run.state()).flatMap((effect) => (effect.do === "record" ? [effect.key] : []));
  for (const act of [
    { do: "exclude", host: "s" },
    { do: "nccl-debug", level: "INFO" },
  ] as const) {
    const before = records();
    does(run, act);
    assert.equal(records().length, 4);
    assert.deepEqual(
      records().filter((key) => before.includes(key)),
      [],
    );
  }
  const record = JSON.parse(JSON.stringify(recordOf(run.state(), "c", 9))) as ReturnType<typeof recordOf>;
  const from = { controller: "c", machine: "m", epoch: 1 };
  const state = record.state as RecordedState;
  const taken = start({ at: 5, type: "taken-over", spec: run.state().spec, state, by: "x", controller: "d", machine: "n", epoch: 2, from, base: record });
  assert.deepEqual(
    [taken.hosts.s?.excluded, taken.nccl],
    [
      { by: "me", needsSpare: false },
      { now: null, next: "INFO" },
    ],
  );
});

test("NCCL's level: of the next attempt, not of this one; it stays until it is taken back", () => {
  const run = play();
  assert.match(does(run, { do: "nccl-debug", level: "TRACE" }), /NCCL_DEBUG is TRACE from the next attempt on/);
  assert.deepEqual([run.state().nccl, run.state().phase], [{ now: null, next: "TRACE" }, "running"]);
  const again = judgeAct(run.state(), { do: "nccl-debug", level: "TRACE" });
  assert.ok(again.ok && !again.isNew);
  for (let k = 0; k < 2; k++) {
    run.fails({ place: `p${k}` });
    run.again();
    assert.deepEqual(run.state().nccl, { now: "TRACE", next: "TRACE" });
  }
  does(run, { do: "nccl-debug", level: null });
  run.fails({ place: "p2" });
  run.again();
  assert.deepEqual(run.state().nccl, { now: null, next: null });
  assert.match(refuses(run.state(), { do: "nccl-debug", level: "LOUD" as "INFO" }), /WARN, INFO, TRACE/);
});
