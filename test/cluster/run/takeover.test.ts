/** Who may lead a run, in every history of takers that freeze, lose their disks and reach few hosts. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { admit } from "../../../agent/fence.ts";
import type { RunRecord } from "../../../cluster/protocol.ts";
import type { RunEvent } from "../../../cluster/run/events.ts";
import { recordOf } from "../../../cluster/run/record.ts";
import { reduce, replay, start } from "../../../cluster/run/reduce.ts";
import type { RecordedState, RunState } from "../../../cluster/run/state.ts";
import { isStale, judgeTakeover, type Kept, keyOf, latestOf, QUIET_MS, reachedAs } from "../../../cluster/run/takeover.ts";
import { wanted } from "../../../cluster/run/wanted.ts";
import type { HostFacts, RunSpec } from "../../../cluster/spec.ts";
import { goodRun, HOSTS, schedule, spec } from "./model.ts";

const RUNS = { numRuns: Number(process.env.FC_RUNS ?? 1000) };

/** What the hosts keep when the run is under way. */
function running(): RunState {
  const events = goodRun();
  return replay(
    events.slice(
      0,
      events.findIndex((event) => event.type === "rank-exited"),
    ),
  );
}

const take = (record: RunRecord, epoch: number, controller: string): RunEvent & { type: "taken-over" } => ({
  at: 1000,
  type: "taken-over",
  spec: record.spec as RunSpec,
  state: record.state as RecordedState,
  by: "test",
  controller,
  machine: `box of ${controller}`,
  epoch,
  from: { controller: record.controller, machine: "", epoch: record.epoch },
  base: keyOf(record),
});

const linked = (state: RunState, host: string): RunEvent => {
  const { agent, dirs } = state.hosts[host] ?? {};
  assert.ok(agent != null && dirs != null);
  return { at: 2000, type: "host-connected", host, facts: {} as HostFacts, dirs, agent, driver: "ssh2", why: "", dialled: null, sessionNames: ["PATH"] };
};

const kept = (host: string, record: RunRecord, isLinked = false, heardMs = QUIET_MS): Kept => ({ host, record, isLinked, heardMs });

test("a leader that is heard is replaced by force only; one that was heard just now is waited for; one that is gone is not asked", () => {
  const record = recordOf(running(), "c", 9);
  const judge = (isLinked: boolean, heardMs: number, force = false, controller = "d") =>
    judgeTakeover({ kept: HOSTS.map((host) => kept(host, record, isLinked, heardMs)), reached: HOSTS, controller, force });
  const led = judge(true, 100);
  assert.deepEqual([led.go, led.go === "led" ? led.waitMs : 0], ["led", null]);
  const recent = judge(false, 10_000);
  assert.deepEqual([recent.go, recent.go === "led" ? recent.waitMs : 0], ["led", QUIET_MS - 10_000]);
  assert.equal(judge(false, QUIET_MS).go, "take");
  assert.equal(judge(true, 100, true).go, "take");
  assert.equal(judge(true, 100, false, "c").go, "take", "a controller that lost its journal and kept its id asks nobody");
  assert.deepEqual(judgeTakeover({ kept: [], reached: HOSTS, controller: "d", force: true }), { go: "unknown" });
});

test("without a majority only force takes it, and says so; a host that was started again counts", () => {
  const record = recordOf(running(), "c", 9);
  const few = { kept: [kept("a", record)], reached: ["a"], controller: "d", force: false };
  assert.equal(judgeTakeover(few).go, "minority");
  const forced = judgeTakeover({ ...few, force: true });
  assert.deepEqual([forced.go, forced.go === "take" && forced.isMajority], ["take", false]);
  const again = judgeTakeover({ ...few, reached: ["a", "b"] });
  assert.deepEqual([again.go, again.go === "take" && again.isMajority], ["take", true]);
});

test("what was taken over goes on where it was: same attempt, ranks and spec; nobody is heard yet, nothing is started, no deadline is due", () => {
  const before = running();
  const record = recordOf(before, "c", 9);
  const state = start(take(JSON.parse(JSON.stringify(record)), 2, "d"));
  for (const key of ["spec", "phase", "attempt", "ranks", "members", "world", "rdzvId"] as const) assert.deepEqual(state[key], before[key], key);
  assert.deepEqual([state.epoch, state.controller, state.takeover?.isWon, state.awakeSince], [2, "d", false, 1000]);
  assert.ok(Object.values(state.hosts).every((h) => !h.seen && h.facts === null));
  const does = wanted(state).map((effect) => effect.do);
  assert.ok(!does.some((what) => ["arm", "launch", "begin-attempt", "prepare"].includes(what)), does.join(" "));
  const half = reduce(state, linked(state, "a"));
  assert.equal(half.takeover?.isWon, false);
  const won = reduce(half, linked(half, "c"));
  assert.deepEqual([won.takeover?.isWon, won.phase, won.hosts.a?.sessionNames], [true, "running", ["PATH"]]);
});

test("agents' events told once more after a takeover change nothing that was known", () => {
  const told = ["rank-started", "rank-exited", "launcher-exited", "host-ended", "host-drained"];
  fc.assert(
    fc.property(schedule, fc.nat(), (events, cut) => {
      const some = events.slice(0, 1 + (cut % events.length));
      const before = replay(some);
      fc.pre(before.attempt > 0 && before.phase !== "recovering");
      const taken = start(take(JSON.parse(JSON.stringify(recordOf(before, "c", some.length))), 9, "d"));
      const after = some.filter((event) => told.includes(event.type)).reduce(reduce, taken);
      assert.deepEqual([after.attempt, after.members, after.spent, after.past.length], [before.attempt, before.members, before.spent, before.past.length]);
      for (const [rank, { exit }] of Object.entries(before.ranks)) if (exit !== null) assert.deepEqual(after.ranks[Number(rank)]?.exit, exit);
      if (before.verdict !== null) assert.equal(after.verdict, before.verdict);
    }),
    RUNS,
  );
});

test("fenced is for good: nothing that happens later is folded or wanted, but a takeover of one's own", () => {
  fc.assert(
    fc.property(schedule, schedule, (before, after) => {
      const fenced = reduce(replay(before), { at: 5000, type: "fenced", controller: "d", machine: "", epoch: 7 });
      const later = after.slice(1).reduce(reduce, fenced);
      assert.deepEqual(later, fenced);
      assert.deepEqual(wanted(later), []);
      const record = recordOf(running(), "d", 9);
      assert.equal(reduce(later, take(record, 8, "c")).fenced, null);
    }),
    RUNS,
  );
});

test("a machine's own file says how its hosts are reached, and changes nothing else", () => {
  const own = { ...spec(3), hosts: spec(3).hosts.map((host) => ({ ...host, identity: "/home/other/key", port: 22 })) };
  const here = own.hosts.slice(0, 2).map(({ identity: _, ...host }) => ({ ...host, user: "me", address: "elsewhere", env: { X: "1" } }));
  const got = reachedAs(own, here, "/here/c.yaml");
  const [first, , third] = got.hosts;
  assert.deepEqual([first?.identity, first?.user, first?.address, first?.env, third?.identity], [undefined, "me", "a", {}, "/home/other/key"]);
});

type Host = { record: RunRecord };
type Taker = { id: string; epoch: number; seq: number; state: RunState; fenced: boolean; base: RunRecord };

/** Hosts and takers as they are; a step is one taker's reach to one host, or a new taker that saw some of the hosts. */
const step = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant("new" as const), sees: fc.subarray(HOSTS, { minLength: 1 }) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("reach" as const), who: fc.nat(8), host: fc.constantFrom(...HOSTS) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("launch" as const), who: fc.nat(8) }) },
);

test("fencing history: of all that ever launch an attempt, each has a majority then, and nobody launches after a later one has", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
      const begun = running();
      const first: Taker = { id: "c0", epoch: 1, seq: 10, state: { ...begun, epoch: 1 }, fenced: false, base: recordOf(begun, "c0", 10) };
      const hosts: Record<string, Host> = Object.fromEntries(HOSTS.map((name) => [name, { record: { ...first.base, epoch: 1 } }]));
      const takers = [first];
      const launches: { epoch: number; id: string }[] = [];
      const command = (taker: Taker, name: string): boolean => {
        const host = hosts[name];
        assert.ok(host !== undefined);
        const record: RunRecord = { ...recordOf(taker.state, taker.id, taker.seq), epoch: taker.epoch };
        const verdict = admit(host.record, { controller: taker.id, epoch: taker.epoch }, true);
        if (verdict === "fenced") taker.fenced = true;
        else if (verdict === "takes-over" && isStale(record, host.record)) taker.state = reduce(taker.state, take(host.record, taker.epoch, taker.id));
        else {
          host.record = record;
          return true;
        }
        return false;
      };
      for (const each of steps) {
        if (each.do === "new") {
          const id = `c${takers.length}`;
          const seen = each.sees.map((name) => kept(name, hosts[name]?.record ?? first.base));
          const verdict = judgeTakeover({ kept: seen, reached: each.sees, controller: id, force: true });
          assert.equal(verdict.go, "take");
          if (verdict.go !== "take") continue;
          assert.ok(seen.every(({ record }) => record.epoch < verdict.epoch));
          const state = start(take(verdict.record, verdict.epoch, id));
          takers.push({ id, epoch: verdict.epoch, seq: 1, state, fenced: false, base: verdict.record });
          continue;
        }
        const taker = takers[each.who % takers.length];
        if (taker === undefined || taker.fenced) continue;
        taker.seq += 1;
        if (each.do === "reach") {
          if (command(taker, each.host) && taker.state.takeover !== null) taker.state = reduce(taker.state, linked(taker.state, each.host));
        } else if (taker.state.takeover === null || taker.state.takeover.isWon) {
          taker.state = { ...taker.state, attempt: taker.state.attempt + 1 };
          // Armed everywhere before anything is launched: one host that refuses is enough.
          if (HOSTS.every((name) => command(taker, name))) launches.push({ epoch: taker.epoch, id: taker.id });
        }
      }
      for (const [k, launch] of launches.entries()) {
        const before = launches[k - 1];
        assert.ok(before === undefined || launch.epoch > before.epoch || (launch.epoch === before.epoch && launch.id === before.id));
      }
      // Whoever comes next and asks all knows of the last launch.
      const latest = latestOf(HOSTS.map((name) => kept(name, hosts[name]?.record ?? first.base)));
      const last = launches.at(-1);
      if (last !== undefined) {
        const key = latest === null ? { epoch: 0 } : keyOf(latest);
        assert.ok(key.epoch >= last.epoch, `the record that counts is of epoch ${key.epoch}, the last launch of ${last.epoch}`);
      }
    }),
    RUNS,
  );
});
