/**
 * A small world for the pure core: hosts that die, freeze out and come back, agents that fence, controllers that crash, are frozen and are
 * taken over from. The real fold, the real wants, the real fence and the real loss verdict act in it; what they bring about is checked
 * against what is really alive. One schedule is a list of numbers, so a failing one shrinks and can be kept.
 */

import { admit } from "../../../agent/fence.ts";
import type { Cause } from "../../../cluster/run/cause.ts";
import type { RunEvent } from "../../../cluster/run/events.ts";
import { lossVerdict } from "../../../cluster/run/loss.ts";
import { reduce, start } from "../../../cluster/run/reduce.ts";
import { isOver, membersOf, type RunState } from "../../../cluster/run/state.ts";
import { type Effect, wanted } from "../../../cluster/run/wanted.ts";
import type { HostFacts, RunSpec } from "../../../cluster/spec.ts";
import { problem, receipt } from "./model.ts";

type Untimed = RunEvent extends infer E ? (E extends { at: number } ? Omit<E, "at"> : never) : never;
export type Record = { readonly epoch: number; readonly controller: string; readonly seq: number; readonly state: RunState };

export type Host = {
  readonly name: string;
  boot: number;
  isUp: boolean;
  /** From the controllers; peers still reach it unless it is alone. */
  isCut: boolean;
  isAlone: boolean;
  isPrepared: boolean;
  record: Record | null;
  readonly alive: Set<number>;
  readonly ended: Set<number>;
  readonly armed: Set<number>;
  /** Whose its GPUs are. */
  gpus: "free" | "run" | "stranger";
  outbox: Untimed[];
  /** Epochs whose commands were taken, in order. */
  readonly taken: number[];
};

export type Controller = {
  readonly id: string;
  readonly journal: RunEvent[];
  state: RunState;
  isFrozen: boolean;
  isFenced: boolean;
  read: Map<string, number>;
  keys: Map<string, string>;
};

export type World = {
  now: number;
  hosts: Host[];
  controllers: Controller[];
  readonly broken: string[];
  readonly launches: { epoch: number; attempt: number }[];
};

const RANKS = 2;
const CAUSES: readonly Cause["kind"][] = ["exception", "signal", "oom", "gpu", "network", "unknown"];

export function makeWorld(spec: RunSpec): World {
  const hosts = spec.hosts.map(
    ({ name }): Host => ({
      name,
      boot: 1,
      isUp: true,
      isCut: false,
      isAlone: false,
      isPrepared: false,
      record: null,
      alive: new Set(),
      ended: new Set(),
      armed: new Set(),
      gpus: "free",
      outbox: [],
      taken: [],
    }),
  );
  const world: World = { now: 1000, hosts, controllers: [], broken: [], launches: [] };
  const requested = { at: world.now, type: "requested", spec, by: "model" } as const;
  world.controllers.push({ id: "c0", journal: [requested], state: start(requested), isFrozen: false, isFenced: false, read: new Map(), keys: new Map() });
  tell(world, world.controllers[0] as Controller, { type: "controller-started", controller: "c0", epoch: 1 });
  return world;
}

export const epochOf = (c: Controller): number => Math.max(1, c.state.epoch);
const keyOf = (h: Host): string => `${h.name}-${h.boot}`;
/** A link to an agent that is gone is no link. */
export const isLinked = (c: Controller, h: Host): boolean => isReached(h) && c.keys.get(h.name) === keyOf(h);
export const isReached = (h: Host): boolean => h.isUp && !h.isCut;

export function tell(world: World, c: Controller, event: Untimed): void {
  const timed = { ...event, at: world.now } as RunEvent;
  const before = c.state;
  c.journal.push(timed);
  c.state = reduce(c.state, timed);
  if (isOver(before) && (c.state.phase !== before.phase || c.state.verdict !== before.verdict))
    world.broken.push(`a run that was ${before.phase} became ${c.state.phase}`);
}

/** One command: taken, or refused by the fence or for want of a link. */
export function command(world: World, c: Controller, host: Host, isHello = false): boolean {
  if (!isReached(host) || (!isHello && c.keys.get(host.name) !== keyOf(host))) return false;
  const asked = { epoch: epochOf(c), controller: c.id };
  if (admit(host.record, asked, true) === "fenced") {
    c.isFenced = true;
    return false;
  }
  host.record = { ...asked, seq: c.journal.length, state: c.state };
  if ((host.taken.at(-1) ?? 0) > asked.epoch) world.broken.push(`${host.name} took epoch ${asked.epoch} after ${host.taken.at(-1)}`);
  host.taken.push(asked.epoch);
  return true;
}

/** `n` chooses where there is a choice. */
export function act(world: World, c: Controller, effect: Effect, n: number): void {
  const host = "host" in effect ? world.hosts.find((h) => h.name === effect.host) : undefined;
  switch (effect.do) {
    case "link":
      return host && link(world, c, host, n);
    case "prepare":
      if (host === undefined || !command(world, c, host)) return;
      host.isPrepared = true;
      return tell(world, c, {
        type: "host-prepared",
        host: host.name,
        dir: "/d",
        python: null,
        scratch: null,
        notes: [],
        sessionNames: [],
        scriptSha256: null,
      });
    case "preflight": {
      if (c.state.attempt > 1) world.broken.push("a later attempt waits for diag");
      const finding = {
        id: "x",
        title: "x",
        status: n % 40 === 0 ? "fail" : "warn",
        hosts: [...effect.hosts],
        observed: "x",
        fix: "x",
        isBlocking: true,
      } as const;
      return tell(world, c, { type: "preflight-done", findings: [finding] });
    }
    case "claim":
      return claim(world, c, effect.hosts);
    case "begin-attempt":
      return tell(world, c, {
        type: "attempt-begun",
        attempt: effect.attempt,
        rdzvId: `r${effect.attempt}`,
        world: effect.members.length * RANKS,
        members: effect.members,
        checkpoint: n % 3 === 0 ? { step: n, path: "/c" } : c.state.checkpoint,
      });
    case "arm":
      if (host === undefined || !command(world, c, host) || host.ended.has(effect.attempt)) return;
      if (!host.isPrepared) world.broken.push(`${host.name} is armed but not prepared`);
      if (wantsGpus(c, host) && host.gpus !== "run") {
        const taken = { code: "GPUS_TAKEN", message: "taken", hint: "", exit: 5 } as const;
        return tell(world, c, { type: "host-failed", host: host.name, during: "arm", problem: taken });
      }
      host.armed.add(effect.attempt);
      return tell(world, c, { type: "host-armed", host: host.name, attempt: effect.attempt, ports: [1], dir: "/d", socket: "/s" });
    case "launch":
      return host && launch(world, c, host, effect.attempt);
    case "stop":
      if (host === undefined || !command(world, c, host)) return;
      if (host.alive.has(effect.attempt)) return end(host, effect.attempt);
      if (host.ended.has(effect.attempt)) return;
      host.ended.add(effect.attempt);
      host.armed.delete(effect.attempt);
      tell(world, c, { type: "host-ended", host: host.name, attempt: effect.attempt, receipt });
      return tell(world, c, { type: "host-drained", host: host.name, attempt: effect.attempt });
    case "record":
      return void (host && command(world, c, host));
    case "witness":
      return host && witness(world, c, host);
    case "diagnose": {
      const told = c.state.trouble?.kind;
      const kind = told === "host-lost" || told === "asked" ? told : (CAUSES[n % CAUSES.length] ?? "unknown");
      const { spent } = c.state;
      const cause: Cause = {
        kind,
        code: null,
        text: "x",
        host: c.state.trouble?.host ?? null,
        rank: null,
        place: `p${n % 5}`,
        exitCode: null,
        evidence: [],
        isFinal: kind !== "asked" && n % 11 === 0,
      };
      tell(world, c, {
        type: "attempt-diagnosed",
        attempt: effect.attempt,
        cause,
        checkpoint: n % 2 === 0 ? { step: n * 7, path: "/c" } : null,
        jitter: 0.5,
      });
      if (kind === "asked" && c.state.spent > spent) world.broken.push("what a person asked for cost budget");
      return;
    }
    case "timer":
      return effect.at <= world.now ? tell(world, c, { type: "timer", key: effect.timer }) : undefined;
    case "forget":
      if (host !== undefined && command(world, c, host)) tell(world, c, { type: "host-forgot", host: host.name });
      return;
    case "finish":
      return;
  }
}

function link(world: World, c: Controller, host: Host, n: number): void {
  const known = c.state.hosts[host.name];
  if (known === undefined || known.seen) return;
  if (!isReached(host)) {
    if (known.stage === "waiting" && world.now > 60_000) tell(world, c, { type: "host-refused", host: host.name, problem });
    return;
  }
  if (!command(world, c, host, true)) return;
  const agent = { key: keyOf(host), bundle: "h", pid: 1 };
  // A stop may be on its way when another boot's agent is met, and its answer comes after that is known.
  const late = n % 2 === 0 ? wanted(c.state).find((effect) => effect.do === "stop" && effect.host === host.name) : undefined;
  if (c.keys.get(host.name) !== agent.key) c.read.set(host.name, 0);
  const before = known.agent?.key;
  c.keys.set(host.name, agent.key);
  if (before !== undefined && before !== agent.key) tell(world, c, { type: "host-rebooted", host: host.name, attempt: known.attempt, agent });
  if (known.stage !== "waiting") {
    tell(world, c, { type: "host-seen", host: host.name });
    return late && act(world, c, late, n);
  }
  const dirs = { bundle: "/b", state: "/s", runtime: "/r" };
  tell(world, c, { type: "host-connected", host: host.name, facts: {} as HostFacts, dirs, agent, driver: "ssh2", dialled: null, why: "" });
}

const wantsGpus = (c: Controller, host: Host): boolean => c.state.spec.hosts.find(({ name }) => name === host.name)?.gpus.kind !== "none";

/** All or none, as their agents answer. */
function claim(world: World, c: Controller, names: readonly string[]): void {
  const hosts = world.hosts.filter(({ name }) => names.includes(name));
  if (!hosts.every((host) => command(world, c, host))) return;
  const busy = hosts.filter((host) => host.gpus === "stranger");
  if (busy.length > 0) return tell(world, c, { type: "gpus-busy", busy: Object.fromEntries(busy.map(({ name }) => [name, "a stranger"])) });
  for (const host of hosts) host.gpus = "run";
  tell(world, c, { type: "gpus-claimed", claims: Object.fromEntries(names.map((name) => [name, { gpus: ["g0", "g1"], notes: [] }])) });
}

function launch(world: World, c: Controller, host: Host, attempt: number): void {
  if (!command(world, c, host)) return;
  const { state } = c;
  if (state.hosts[host.name]?.excluded !== undefined) world.broken.push(`${host.name} is launched though somebody excluded it`);
  if (state.stop !== null) world.broken.push(`${host.name} is launched after a stop was asked`);
  for (const other of world.hosts) {
    const lost = state.hosts[other.name]?.lost ?? null;
    for (const alive of other.alive)
      if (alive !== attempt && lost === null)
        world.broken.push(`attempt ${attempt} starts while attempt ${alive} is alive on ${other.name}, which is not lost`);
  }
  if (!host.armed.has(attempt) || host.ended.has(attempt)) return;
  if (c.state.spec.preflight === true && c.state.preflight === null && attempt === 1) world.broken.push(`${host.name} is launched before diag's word`);
  if (wantsGpus(c, host) && host.gpus !== "run") world.broken.push(`${host.name} is launched on GPUs that are ${host.gpus}`);
  if (!host.alive.has(attempt)) {
    host.alive.add(attempt);
    world.launches.push({ epoch: epochOf(c), attempt });
    const first = state.members.indexOf(host.name) * RANKS;
    for (const rank of [first, first + 1]) host.outbox.push({ type: "rank-started", host: host.name, attempt, rank, pid: 7, start: 9 });
  }
  tell(world, c, { type: "host-launched", host: host.name, attempt });
}

/** All of an attempt on a host ends: its receipt is on its way. */
export function end(host: Host, attempt: number): void {
  host.alive.delete(attempt);
  host.ended.add(attempt);
  host.outbox.push({ type: "host-ended", host: host.name, attempt, receipt }, { type: "host-drained", host: host.name, attempt });
}

function witness(world: World, c: Controller, host: Host): void {
  const members = membersOf(c.state);
  const others = world.hosts.filter((h) => h !== host && isLinked(c, h) && c.state.hosts[h.name]?.seen === true);
  const saw = host.isUp && !host.isAlone ? "alive" : "dead";
  const why = lossVerdict({
    silentMs: 20_000,
    lostMs: 10_000,
    members: members.length,
    silent: members.filter((h) => !h.seen).length,
    knocks: others.filter((h) => !h.isAlone).map(({ name }) => ({ by: name, saw })),
    peersFailed: c.state.trouble !== null,
    quietMs: 0,
  });
  if (why !== null) tell(world, c, { type: "host-lost", host: host.name, attempt: c.state.attempt, why });
}

export const pending = (c: Controller): readonly Effect[] => (c.isFrozen || c.isFenced ? [] : wanted(c.state));
