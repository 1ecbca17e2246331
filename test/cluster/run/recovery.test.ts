/** Recovery, played in a world where everything fails: what must never happen, over generated schedules. FC_RUNS=100000 for the long pass. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Act } from "../../../cluster/run/act.ts";
import { costsBudget, decide } from "../../../cluster/run/policy.ts";
import { isOver, type RunState } from "../../../cluster/run/state.ts";
import type { HostSpec, RestartSpec, RunSpec } from "../../../cluster/spec.ts";
import { spec as base } from "./model.ts";
import { deliver, restart, takeOver } from "./succession.ts";
import { act, type Controller, end, type Host, isLinked, makeWorld, pending, tell, type World } from "./world.ts";

const RUNS = Number(process.env.FC_RUNS ?? 100_000);
const NAMES = ["a", "b", "c", "s"];

const hostsWith = (gpus: HostSpec["gpus"]): HostSpec[] => NAMES.map((name) => ({ name, transport: "ssh", address: name, env: {}, gpus }));
const specWith = (onHostLoss: RestartSpec["onHostLoss"], max: number, gpus: HostSpec["gpus"]): RunSpec => {
  const one = base(3);
  return { ...one, preflight: gpus.kind === "auto", hosts: hostsWith(gpus), spares: ["s"], restart: { ...one.restart, onHostLoss, max } };
};

type Step = readonly [what: number, n: number];
const seen = new Map<string, number>();

function play(spec: RunSpec, steps: readonly Step[]): World {
  const world = makeWorld(spec);
  for (const host of world.hosts) if (steps.length % 4 === 0) lend(host, steps.length);
  for (const step of steps) take(world, step);
  return world;
}

/** Most steps do what a controller wants; the rest is the world's malice. */
function take(world: World, [what, n]: Step): void {
  const c = world.controllers[n % world.controllers.length] as Controller;
  const host = world.hosts[n % world.hosts.length] as Host;
  world.now += n % 50;
  const hits: readonly (() => unknown)[] = [
    () => fail(host, n),
    () => world.hosts.forEach(finish),
    () => kill(host),
    () => boot(host),
    () => flip(host, "isCut"),
    () => flip(host, "isAlone"),
    () => miss(world, c),
    () => miss(world, c),
    () => deliver(world, c, host, true),
    () => lend(host, n),
    () => pass(world, n * 100), // minutes, or a clock that jumps
    () => c.isFrozen || restart(world, c),
    () => n % 3 > 0 || flip(c, "isFrozen"),
    () => n % 4 > 0 || takeOver(world),
    () => n % 2 > 0 || c.isFrozen || c.isFenced || tell(world, c, { type: "acted", act: wishOf(host.name, n), by: "me" }),
    () => n % 9 > 0 || c.isFrozen || c.isFenced || tell(world, c, { type: "stop-requested", by: "me", why: "", graceMs: 0 }),
  ];
  const hit = what >= 60 ? hits[what - 60] : undefined;
  if (hit !== undefined) return void hit();
  if (what >= 40) {
    for (const h of world.hosts) deliver(world, c, h, false);
    return;
  }
  const effects = pending(c);
  const effect = effects[n % Math.max(1, effects.length)];
  if (effect !== undefined) act(world, c, effect, n);
  seen.set(c.state.phase, (seen.get(c.state.phase) ?? 0) + 1);
  if (c.state.attempt > 1) seen.set("second attempt", (seen.get("second attempt") ?? 0) + 1);
  if (c.state.attempt > 1 && c.state.members.includes("s")) seen.set("with the spare", (seen.get("with the spare") ?? 0) + 1);
  if (Object.values(c.state.hosts).some((h) => h.lost !== null)) seen.set("lost", (seen.get("lost") ?? 0) + 1);
  if (c.state.queue !== null) seen.set("waiting for GPUs", (seen.get("waiting for GPUs") ?? 0) + 1);
  if (c.state.past.some(({ cause }) => cause.kind === "asked")) seen.set("asked for", (seen.get("asked for") ?? 0) + 1);
  if (Object.values(c.state.hosts).some((h) => h.excluded !== undefined)) seen.set("excluded", (seen.get("excluded") ?? 0) + 1);
  if (c.isFenced) seen.set("fenced", (seen.get("fenced") ?? 0) + 1);
}

/** A person is as rash as the rest of the world. */
function wishOf(host: string, n: number): Act {
  const wishes: readonly Act[] = [
    { do: "restart" },
    { do: "restart", attempt: n % 3 },
    { do: "exclude", host },
    { do: "take-spare", host },
    { do: "nccl-debug", level: "TRACE" },
  ];
  return wishes[(n >> 4) % wishes.length] ?? { do: "restart" };
}
function flip<K extends string>(what: Record<K, boolean>, key: K): void {
  what[key] = !what[key];
}
function pass(world: World, ms: number): void {
  world.now += ms;
}
function fail(host: Host, n: number): void {
  const attempt = [...host.alive][0];
  const own = host.outbox.flatMap((e) => (e.type === "rank-started" && e.attempt === attempt ? [e.rank] : []));
  const rank = own[n % own.length];
  if (attempt === undefined || rank === undefined) return;
  host.outbox.push({ type: "rank-exited", host: host.name, attempt, rank, code: null, signal: "SIGKILL", seenAt: 0 });
}
/** GPUs of a host are a stranger's, or free again; what an attempt holds nobody gets. */
function lend(host: Host, n: number): void {
  if (host.alive.size === 0 && host.armed.size === 0) host.gpus = n % 3 === 0 ? "stranger" : host.gpus === "stranger" ? "free" : host.gpus;
}
function finish(host: Host): void {
  const attempt = [...host.alive][0];
  if (attempt === undefined) return;
  host.outbox.push({ type: "launcher-exited", host: host.name, attempt, code: 0, signal: null });
  end(host, attempt);
}
function kill(host: Host): void {
  host.isUp = false;
  host.alive.clear();
  host.gpus = "free";
}
function boot(host: Host): void {
  if (host.isUp) return;
  Object.assign(host, { isUp: true, boot: host.boot + 1, isPrepared: false, outbox: [], record: null });
  host.armed.clear();
  host.ended.clear();
  host.taken.length = 0;
}
/** Links that are down are noticed. */
function miss(world: World, c: Controller): void {
  if (c.isFrozen || c.isFenced) return;
  for (const h of world.hosts) if (!isLinked(c, h) && c.state.hosts[h.name]?.seen) tell(world, c, { type: "host-unseen", host: h.name, why: "silent" });
}

const step = fc.tuple(
  fc.oneof({ weight: 12, arbitrary: fc.integer({ min: 0, max: 59 }) }, { weight: 2, arbitrary: fc.integer({ min: 60, max: 75 }) }),
  fc.nat(5000),
);
const warmUp: Step[] = Array.from({ length: 60 }, (_, k): Step => [k % 3 === 2 ? 45 : 1, k * 17]);
const schedule = fc.array(step, { minLength: 60, maxLength: 220 }).map((steps) => [...warmUp, ...steps]);
const gpus = fc.constantFrom<HostSpec["gpus"]>({ kind: "none", slots: 2 }, { kind: "auto" });
const policy = fc.constantFrom<RestartSpec["onHostLoss"]>("wait", "spare", "shrink", "fail");

function check(state: RunState, max: number): void {
  const held = state.members.flatMap((name) => (state.hosts[name]?.attempt === state.attempt ? [name] : []));
  assert.equal(new Set(state.members).size, state.members.length, "a host takes part twice");
  if (state.attempt > 0 && state.attemptAt !== null) assert.equal(state.world, held.length * 2, "ranks are not 0..N-1 over the members");
  for (const rank of Object.values(state.ranks)) assert.ok(rank.rank >= 0 && rank.rank < state.world, `rank ${rank.rank} of ${state.world}`);
  assert.ok(state.past.length <= state.attempt);
  let spent = 0;
  for (const past of state.past) {
    spent = (past.hasProgressed ? 0 : spent) + (costsBudget(past.cause) ? 1 : 0);
    if (past.attempt < state.attempt) assert.ok(spent <= max || past.endedAt > 3_000_000, `${spent} restarts without progress, ${max} allowed`);
  }
  if (isOver(state))
    for (const h of Object.values(state.hosts)) if (h.mayRun) assert.equal(h.receipt, "unknown", `${h.name} may run something and has no debt`);
}

test("never, whatever fails: two attempts on hosts not lost, a launch after a stop, an old controller that is obeyed, a run that comes back from its end", () => {
  fc.assert(
    fc.property(schedule, policy, fc.constantFrom(0, 1, 3), gpus, (steps, onHostLoss, max, kind) => {
      const world = play(specWith(onHostLoss, max, kind), steps);
      assert.deepEqual(world.broken, []);
      for (const c of world.controllers) check(c.state, max);
    }),
    { numRuns: RUNS },
  );
});

test("always: once the world is kind again, a run ends, and what lost hosts still had is ended", () => {
  fc.assert(
    fc.property(schedule, policy, gpus, (steps, onHostLoss, kind) => {
      const world = play(specWith(onHostLoss, 3, kind), steps);
      for (const h of world.hosts) {
        boot(h);
        if (h.gpus === "stranger") h.gpus = "free";
        Object.assign(h, { isCut: false, isAlone: false });
      }
      for (const c of world.controllers) c.isFrozen = false;
      for (let round = 0; round < 300; round++) {
        world.now += 60_000;
        for (const c of world.controllers) {
          miss(world, c);
          for (const h of world.hosts) deliver(world, c, h, false);
          for (const effect of pending(c)) if (pending(c).some(({ key }) => key === effect.key)) act(world, c, effect, 1);
          if (c.state.phase === "running") for (const h of world.hosts) finish(h);
        }
      }
      assert.deepEqual(world.broken, []);
      const leaders = world.controllers.filter((c) => !c.isFenced);
      for (const c of leaders.slice(-1)) {
        assert.ok(isOver(c.state), `${c.state.phase} for ever: ${JSON.stringify(decide(c.state))}`);
        for (const h of world.hosts) if (c.state.hosts[h.name]?.agent) assert.equal(h.alive.size, 0, `${h.name} still runs attempt ${[...h.alive]}`);
      }
    }),
    { numRuns: Math.ceil(RUNS / 10) },
  );
});

test("the schedules reach what they are for", () => {
  for (const what of [
    "running",
    "stopping",
    "recovering",
    "succeeded",
    "failed",
    "stopped",
    "second attempt",
    "with the spare",
    "lost",
    "fenced",
    "waiting for GPUs",
    "asked for",
    "excluded",
  ])
    assert.ok((seen.get(what) ?? 0) > RUNS / 200, `${what}: ${seen.get(what)} of ${JSON.stringify([...seen])}`);
});
