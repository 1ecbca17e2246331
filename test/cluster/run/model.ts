/** Generated schedules of a run's events, for property tests: anything that agents, people and timers may say, in any order. */

import fc from "fast-check";
import { DETECTION, RECOVERY } from "../../../cluster/config/recovery.ts";
import type { Problem } from "../../../cluster/errors.ts";
import type { Act } from "../../../cluster/run/act.ts";
import type { RunEvent } from "../../../cluster/run/events.ts";
import type { Receipt } from "../../../cluster/shim-contract.ts";
import type { HostFacts, RunSpec } from "../../../cluster/spec.ts";

export const HOSTS = ["a", "b", "c"];
export const WORLD = 6;

export const spec = (minHosts: number): RunSpec => ({
  schema: 1,
  run: "train_20251101_143200",
  name: "model",
  file: null,
  hosts: HOSTS.map((name) => ({ name, transport: "ssh", address: name, env: {}, gpus: { kind: "none", slots: 2 } })),
  minHosts,
  launcher: "torchrun",
  per: "gpu",
  rdzv: null,
  rdzvPorts: null,
  job: { kind: "smoke", args: [] },
  accelerateConfig: null,
  env: {},
  secretNames: {},
  timeouts: { connectMs: 30_000, startMs: 600_000, stopGraceMs: 30_000, runMs: null, ...DETECTION },
  ...RECOVERY,
  logs: { quotaBytes: 1 },
  paths: {},
  tags: [],
  code: { kind: "none" },
});

const facts = {} as HostFacts;
export const problem: Problem = { code: "LINK_LOST", message: "gone", hint: "", exit: 4 };
export const receipt: Receipt = { signalled: 2, exited: 2, killed: 0, left: 0, leftPids: [], proof: ["pids"], gpuMemoryMiB: null };

const host = fc.constantFrom(...HOSTS);
const attempt = fc.constantFrom(1, 1, 1, 0, 2);
const exit = fc.constantFrom(
  { code: 0, signal: null },
  { code: 0, signal: null },
  { code: 1, signal: null },
  { code: null, signal: "SIGKILL" },
  { code: null, signal: null },
);
const rank = fc.integer({ min: 0, max: WORLD - 1 });

const connected = (name: string) =>
  ({
    type: "host-connected",
    host: name,
    facts,
    dirs: { bundle: "/b", state: "/s", runtime: "/r" },
    agent: { key: `k-${name}`, bundle: "h", pid: 1 },
    driver: "ssh2",
    dialled: null,
    why: "",
  }) as const;
const prepared = (name: string) =>
  ({ type: "host-prepared", host: name, dir: "/d", python: null, scratch: null, notes: [], sessionNames: [], scriptSha256: null }) as const;

type Untimed = RunEvent extends infer E ? (E extends { at: number } ? Omit<E, "at"> : never) : never;

export const anyEvent: fc.Arbitrary<Untimed> = fc.oneof(
  { weight: 6, arbitrary: host.map(connected) },
  { weight: 6, arbitrary: host.map(prepared) },
  { weight: 1, arbitrary: host.map((name) => ({ type: "host-refused", host: name, problem }) as const) },
  { weight: 1, arbitrary: host.map((name) => ({ type: "host-unseen", host: name, why: "x" }) as const) },
  { weight: 1, arbitrary: host.map((name) => ({ type: "host-seen", host: name }) as const) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("host-failed" as const),
      host,
      during: fc.constantFrom("prepare" as const, "arm" as const, "launch" as const),
      problem: fc.constant(problem),
    }),
  },
  {
    weight: 4,
    arbitrary: attempt.map((n) => ({ type: "attempt-begun", attempt: n, rdzvId: `r${n}`, world: WORLD, members: HOSTS, checkpoint: null }) as const),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant("host-armed" as const),
      host,
      attempt,
      ports: fc.constant([1]),
      dir: fc.constant("/d"),
      socket: fc.constant("/s"),
    }),
  },
  { weight: 6, arbitrary: fc.record({ type: fc.constant("host-launched" as const), host, attempt }) },
  { weight: 8, arbitrary: fc.record({ type: fc.constant("rank-started" as const), host, attempt, rank, pid: fc.constant(7), start: fc.constant(9) }) },
  {
    weight: 6,
    arbitrary: fc
      .tuple(host, attempt, rank, exit)
      .map(([name, n, r, e]) => ({ type: "rank-exited", host: name, attempt: n, rank: r, ...e, seenAt: 0 }) as const),
  },
  { weight: 3, arbitrary: fc.tuple(host, attempt, exit).map(([name, n, e]) => ({ type: "launcher-exited", host: name, attempt: n, ...e }) as const) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant("host-ended" as const), host, attempt, receipt: fc.constant(receipt) }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant("host-drained" as const), host, attempt }) },
  { weight: 1, arbitrary: host.map((name) => ({ type: "host-forgot", host: name }) as const) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant("stop-requested" as const), by: fc.constant("me"), why: fc.constant("x"), graceMs: fc.constantFrom(0, 30_000) }),
  },
  {
    weight: 1,
    arbitrary: fc
      .oneof(
        fc.constant<Act>({ do: "restart" }),
        host.map((name): Act => ({ do: "exclude", host: name })),
      )
      .map((act) => ({ type: "acted", act, by: "me" }) as const),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom("start", "run", "stop", "drain", "forget").map((key) => ({ type: "timer", key }) as { type: "timer"; key: "start" }),
  },
  { weight: 1, arbitrary: fc.constant({ type: "controller-started", controller: "c", epoch: 1 } as const) },
);

export const requested = (minHosts: number): RunEvent => ({ at: 0, type: "requested", spec: spec(minHosts), by: "test" });

/** How a run goes when all is well. */
export function goodRun(): RunEvent[] {
  const each = (make: (name: string, k: number) => Untimed[]): Untimed[] => HOSTS.flatMap(make);
  const events: Untimed[] = [
    { type: "controller-started", controller: "c", epoch: 1 },
    ...each((name) => [connected(name)]),
    ...each((name) => [prepared(name)]),
    { type: "attempt-begun", attempt: 1, rdzvId: "r", world: WORLD, members: HOSTS, checkpoint: null },
    ...each((name) => [{ type: "host-armed", host: name, attempt: 1, ports: [1], dir: "/d", socket: "/s" }]),
    ...each((name) => [{ type: "host-launched", host: name, attempt: 1 }]),
    ...each((name, k) => [0, 1].map((local) => ({ type: "rank-started", host: name, attempt: 1, rank: 2 * k + local, pid: 7, start: 9 }) as const)),
    ...each((name, k) =>
      [0, 1].map((local) => ({ type: "rank-exited", host: name, attempt: 1, rank: 2 * k + local, code: 0, signal: null, seenAt: 0 }) as const),
    ),
    ...each((name) => [{ type: "launcher-exited", host: name, attempt: 1, code: 0, signal: null }]),
    ...each((name) => [{ type: "host-ended", host: name, attempt: 1, receipt }]),
    ...each((name) => [{ type: "host-drained", host: name, attempt: 1 }]),
  ];
  return [requested(3), ...events.map((event, k) => ({ ...event, at: k + 1 }) as RunEvent)];
}

/** A schedule: a run that goes well, or nothing, with anything put in, left out, doubled and swapped; one millisecond apart. */
export const schedule: fc.Arbitrary<RunEvent[]> = fc
  .record({
    minHosts: fc.integer({ min: 1, max: 3 }),
    well: fc.boolean(),
    edits: fc.array(fc.record({ at: fc.nat(60), what: fc.constantFrom("put", "put", "put", "drop", "double", "swap"), event: anyEvent }), {
      maxLength: 40,
      size: "max",
    }),
  })
  .map(({ minHosts, well, edits }) => {
    const events: Untimed[] = well
      ? goodRun()
          .slice(1)
          .map(({ at: _, ...event }) => event as Untimed)
      : [];
    for (const { at, what, event } of edits) {
      const k = Math.min(at, events.length);
      if (what === "put" || events[k] === undefined) events.splice(k, 0, event);
      else if (what === "drop") events.splice(k, 1);
      else if (what === "double") events.splice(k, 0, events[k]);
      else events.splice(k, 2, ...events.slice(k, k + 2).reverse());
    }
    return [requested(minHosts), ...events.map((event, k) => ({ ...event, at: k + 1 }) as RunEvent)];
  });
