/** The fold of a run: how it goes when all is well, and what no sequence of events may ever bring about. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { RunEvent } from "../../../cluster/run/events.ts";
import { reduce, replay } from "../../../cluster/run/reduce.ts";
import { isOver, membersOf, type RunState } from "../../../cluster/run/state.ts";
import { wanted } from "../../../cluster/run/wanted.ts";
import { goodRun, HOSTS, requested, schedule } from "./model.ts";

const RUNS = { numRuns: Number(process.env.FC_RUNS ?? 2000) };
const states = (events: RunEvent[]): RunState[] => {
  const all = [replay(events.slice(0, 1))];
  for (const event of events.slice(1)) all.push(reduce(all.at(-1) as RunState, event));
  return all;
};
const does = (state: RunState): string[] => wanted(state).map((effect) => effect.do);

test("a run that goes well passes through every phase in order and succeeds", () => {
  const phases = states(goodRun()).map((state) => state.phase);
  assert.deepEqual([...new Set(phases)], ["connecting", "preparing", "arming", "launching", "running", "draining", "succeeded"]);
});

test("what is wanted follows the phase", () => {
  const events = goodRun();
  const at = (phase: string) => states(events).find((state) => state.phase === phase) as RunState;
  assert.deepEqual(does(at("connecting")), ["link", "link", "link"]);
  assert.deepEqual(does(at("preparing")).filter((d) => d === "prepare").length, 3);
  assert.ok(does(at("arming")).includes("begin-attempt"));
  assert.equal(does(at("launching")).filter((d) => d === "launch").length, 3);
  assert.ok(!does(at("running")).includes("stop"));
  assert.ok(does(at("succeeded")).includes("finish"));
});

test("a rank that fails stops every host, and the first failure is the one that is told", () => {
  const events = goodRun();
  const until = events.findIndex((event) => event.type === "rank-exited");
  const failing: RunEvent[] = [
    ...events.slice(0, until),
    { at: 100, type: "rank-exited", host: "b", attempt: 1, rank: 3, code: null, signal: "SIGKILL", seenAt: 99 },
    { at: 101, type: "rank-exited", host: "a", attempt: 1, rank: 0, code: 1, signal: null, seenAt: 98 },
  ];
  const state = replay(failing);
  assert.equal(state.phase, "stopping");
  assert.equal(state.trouble?.rank, 3);
  assert.deepEqual(
    wanted(state)
      .filter((effect) => effect.do === "stop")
      .map((effect) => effect.key),
    ["stop:1:a:30000", "stop:1:b:30000", "stop:1:c:30000"],
  );
});

test("nine of ten: a host that is off is left out when min_hosts allows it, else the run fails and starts nothing", () => {
  const refused = (minHosts: number): RunState => {
    const connects = goodRun().filter((event) => event.type === "host-connected" && event.host !== "b");
    return replay([
      requested(minHosts),
      ...connects,
      { at: 9, type: "host-refused", host: "b", problem: { code: "LINK_LOST", message: "off", hint: "", exit: 4 } },
    ]);
  };
  assert.deepEqual([refused(2).phase, refused(2).members], ["preparing", ["a", "c"]]);
  assert.deepEqual([refused(3).phase, refused(3).failure?.exit], ["failed", 4]);
});

test("two entries that one agent answers, or that see one GPU, start nothing and are both named; clones and this machine's own entries are fine", () => {
  const twins = (change: (event: RunEvent & { type: "host-connected" }) => Partial<RunEvent & { type: "host-connected" }>): RunState =>
    replay([
      requested(2),
      ...goodRun().flatMap((event) => (event.type === "host-connected" ? [{ ...event, ...(event.host === "a" ? {} : change(event)) }] : [])),
    ]);
  const agent = { key: "k-a", bundle: "h", pid: 1 };
  const same = twins(() => ({ agent }));
  assert.deepEqual([same.phase, same.failure?.exit, same.failure?.problem?.code], ["failed", 3, "SAME_HOST"]);
  assert.match(same.failure?.text ?? "", /a and b are the same host/);
  assert.equal(same.attempt, 0);
  const clone = twins(({ host }) => ({ agent: { ...agent, pid: host === "b" ? 2 : 3 } }));
  assert.equal(clone.phase, "preparing");
  const gpus = [{ index: 0, uuid: "GPU-1", name: "x", memoryMiB: null }];
  const shared = replay([
    requested(2),
    ...goodRun().flatMap((event) => (event.type === "host-connected" ? [{ ...event, facts: { ...event.facts, gpus } }] : [])),
  ]);
  assert.match(shared.failure?.text ?? "", /both have GPU GPU-1/);
});

test("a shorter stop replaces a longer one, never the other way round", () => {
  const running = goodRun().slice(
    0,
    goodRun().findIndex((event) => event.type === "rank-exited"),
  );
  const stop = (at: number, graceMs: number): RunEvent => ({ at, type: "stop-requested", by: "me", why: "x", graceMs });
  assert.equal(replay([...running, stop(100, 30_000), stop(101, 0)]).stop?.graceMs, 0);
  assert.equal(replay([...running, stop(100, 0), stop(101, 30_000)]).stop?.graceMs, 0);
});

test("hosts that cannot be asked are unknown in the receipt, never 0", () => {
  const running = goodRun().slice(
    0,
    goodRun().findIndex((event) => event.type === "rank-exited"),
  );
  const state = replay([...running, { at: 100, type: "stop-requested", by: "me", why: "x", graceMs: 0 }, { at: 30_000, type: "timer", key: "stop" }]);
  assert.deepEqual(
    membersOf(state).map((host) => host.receipt),
    ["unknown", "unknown", "unknown"],
  );
  assert.equal(state.phase, "stopped");
});

const property = (name: string, holds: (all: RunState[], events: RunEvent[]) => void): void => {
  test(name, () =>
    fc.assert(
      fc.property(schedule, (events) => holds(states(events), events)),
      RUNS,
    ),
  );
};

property("never: a run that is over changes its phase, verdict or failure", (all) => {
  const end = all.findIndex(isOver);
  if (end < 0) return;
  for (const state of all.slice(end)) assert.deepEqual([state.phase, state.verdict, state.failure], [all[end]?.phase, all[end]?.verdict, all[end]?.failure]);
});

property("never: anything is prepared, armed or launched after a stop was asked or a failure seen", (all) => {
  const end = all.findIndex((state) => state.stop !== null || state.failure !== null);
  if (end < 0) return;
  for (const state of all.slice(end))
    for (const what of ["prepare", "begin-attempt", "arm", "launch"]) assert.ok(!does(state).includes(what), `${what} in ${state.phase}`);
});

property("never: a run ends while a host may run something of it and has neither a receipt nor an unknown", (all) => {
  for (const state of all.filter(isOver)) for (const host of membersOf(state)) assert.ok(!host.mayRun || host.receipt !== null, host.name);
});

property("never: success without a receipt from every host that took part", (all) => {
  for (const state of all.filter((s) => s.phase === "succeeded"))
    for (const host of membersOf(state)) assert.ok(host.receipt !== null && host.receipt !== "unknown");
});

property("never: an event of another attempt changes anything but the clock", (all, events) => {
  events.forEach((event, k) => {
    const before = all[k - 1];
    const after = all[k];
    if (k === 0 || before === undefined || after === undefined || !("attempt" in event) || event.type === "attempt-begun" || event.attempt === before.attempt)
      return;
    assert.deepEqual(after, before);
  });
});

test("the schedules reach every phase, so the properties look at what they claim to", () => {
  const reached = new Set(fc.sample(schedule, 500).flatMap((events) => states(events).map((state) => state.phase)));
  assert.equal(reached.size, 11, [...reached].join(" "));
});

property("always: effects have distinct keys and name hosts of the run", (all) => {
  for (const state of all) {
    const effects = wanted(state);
    assert.equal(new Set(effects.map((effect) => effect.key)).size, effects.length);
    for (const effect of effects) if ("host" in effect) assert.ok(HOSTS.includes(effect.host));
  }
});

property("always: the fold of a journal cut anywhere and continued is the fold of the whole", (all, events) => {
  const cut = Math.floor(events.length / 2);
  const resumed = events.slice(cut + 1).reduce(reduce, all[cut] as RunState);
  assert.deepEqual(resumed, all.at(-1));
});

property("always: once something was launched and the run is stopping, every host that may run is told to stop", (all) => {
  for (const state of all.filter((s) => s.phase === "stopping")) {
    const told = new Set(wanted(state).flatMap((effect) => (effect.do === "stop" ? [effect.host] : [])));
    for (const host of membersOf(state)) if (host.mayRun && host.receipt === null) assert.ok(told.has(host.name), host.name);
  }
});
