/** A run of three hosts and its spares, played attempt by attempt through the fold: a test says what fails, and reads what follows. */

import assert from "node:assert/strict";
import type { Cause } from "../../../cluster/run/cause.ts";
import type { RunEvent } from "../../../cluster/run/events.ts";
import { decide } from "../../../cluster/run/policy.ts";
import { reduce, start } from "../../../cluster/run/reduce.ts";
import type { RunState } from "../../../cluster/run/state.ts";
import { wanted } from "../../../cluster/run/wanted.ts";
import type { Receipt } from "../../../cluster/shim-contract.ts";
import type { HostFacts, RestartSpec, RunSpec } from "../../../cluster/spec.ts";
import { spec as base, receipt } from "./model.ts";

type Untimed = RunEvent extends infer E ? (E extends { at: number } ? Omit<E, "at"> : never) : never;
export type Wish = Partial<RestartSpec> & { readonly spares?: readonly string[]; readonly minHosts?: number };

/** A run on a, b and c, and on spares; every attempt is one rank a host. */
export function play({ spares = [], minHosts = 3, ...restart }: Wish = {}) {
  const one = base(minHosts);
  const hosts = ["a", "b", "c", ...spares].map((name) => ({ ...(one.hosts[0] as RunSpec["hosts"][number]), name, address: name }));
  const spec: RunSpec = { ...one, hosts, spares, restart: { ...one.restart, ...restart } };
  let now = 1000;
  const first = { at: now, type: "requested", spec, by: "test" } as const;
  const told: RunEvent[] = [first];
  let state: RunState = start(first);
  const tell = (event: Untimed): void => {
    const timed = { ...event, at: now } as RunEvent;
    told.push(timed);
    state = reduce(state, timed);
  };
  const link = (host: string): void =>
    tell({
      type: "host-connected",
      host,
      facts: {} as HostFacts,
      dirs: { bundle: "/b", state: "/s", runtime: "/r" },
      agent: { key: `k-${host}`, bundle: "h", pid: 1 },
      driver: "ssh2",
      dialled: null,
      why: "",
    });
  const prepare = (host: string): void =>
    tell({ type: "host-prepared", host, dir: "/d", python: null, scratch: null, notes: [], sessionNames: [], scriptSha256: null });
  const begin = (attempt: number, members: readonly string[]): void => {
    tell({ type: "attempt-begun", attempt, rdzvId: `r${attempt}`, world: members.length, members, checkpoint: state.checkpoint });
    assert.deepEqual([state.attempt, state.phase], [attempt, "arming"]);
    for (const host of members) tell({ type: "host-armed", host, attempt, ports: [1], dir: "/d", socket: "/s" });
    for (const host of members) tell({ type: "host-launched", host, attempt });
    members.forEach((host, rank) => {
      tell({ type: "rank-started", host, attempt, rank, pid: 7, start: 9 });
    });
    assert.equal(state.phase, "running");
  };
  const end = (host: string, what: Receipt = receipt): void => tell({ type: "host-ended", host, attempt: state.hosts[host]?.attempt ?? 0, receipt: what });
  /** Every member that answers has ended it. */
  const endAll = (what?: Receipt): void => {
    for (const host of state.members) if (state.hosts[host]?.seen === true) end(host, what);
  };
  const diagnose = (cause: Partial<Cause>, step: number | null = null, jitter = 0): void => {
    assert.equal(state.phase, "recovering");
    const whole = {
      kind: "exception",
      code: null,
      text: "it broke",
      host: "b",
      rank: 1,
      place: null,
      exitCode: 1,
      evidence: [],
      isFinal: false,
      ...cause,
    } as const;
    tell({ type: "attempt-diagnosed", attempt: state.attempt, cause: whole, checkpoint: step === null ? null : { step, path: "/c" }, jitter });
  };
  for (const { name } of hosts) link(name);
  for (const { name } of hosts) prepare(name);
  begin(1, state.members);
  const run = {
    state: () => state,
    events: (): readonly RunEvent[] => told,
    tell,
    prepare,
    end,
    pass: (ms: number) => {
      now += ms;
    },
    /** The attempt fails by its program. */
    fails: (cause: Partial<Cause> = {}, step: number | null = null, jitter = 0) => {
      tell({ type: "rank-exited", host: "a", attempt: state.attempt, rank: 0, code: 1, signal: null, seenAt: now });
      endAll();
      diagnose(cause, step, jitter);
    },
    /** A member falls silent and is given up. */
    loses: (host: string) => {
      tell({ type: "host-unseen", host, why: "silent" });
      tell({ type: "host-lost", host, attempt: state.attempt, why: `no word from ${host}` });
      endAll();
      diagnose({ kind: "host-lost", host, rank: null, exitCode: null, text: `${host} is lost` });
    },
    /** It is heard again and ends what it had. */
    returns: (host: string) => {
      tell({ type: "host-seen", host });
      end(host);
      tell({ type: "host-seen", host });
    },
    endAll,
    diagnose,
    /** With whom the next attempt would be. */
    next: () => {
      const decision = decide(state);
      assert.equal(decision.go, "again", JSON.stringify(decision));
      return decision.go === "again" ? decision.members.join("") : "";
    },
    waits: () => {
      const decision = decide(state);
      assert.equal(decision.go, "wait", JSON.stringify(decision));
      assert.deepEqual([state.phase, state.verdict], ["recovering", null]);
      return decision.go === "wait" ? decision.text : "";
    },
    /** Why the run has failed for good. */
    over: () => {
      assert.deepEqual([state.phase, state.verdict], ["draining", "failed"]);
      assert.ok(!wanted(state).some((effect) => effect.do === "begin-attempt"));
      return state.failure?.text ?? "";
    },
    again: () => {
      const members = run.next();
      assert.ok(!wanted(state).some((effect) => effect.do === "begin-attempt"), "not before the pause is over");
      tell({ type: "timer", key: "backoff" });
      assert.ok(wanted(state).some((effect) => effect.do === "begin-attempt" && effect.attempt === state.attempt + 1 && effect.members.join("") === members));
      begin(state.attempt + 1, [...members]);
    },
  };
  return run;
}
