/** The fold's parts that change hosts. */

import type { HostStage, HostState, RunState } from "./state.ts";

export const STAGES: readonly HostStage[] = ["waiting", "connected", "refused", "prepared", "armed", "launched", "ended", "drained", "forgot"];
export const later = (a: HostStage, b: HostStage): HostStage => (STAGES.indexOf(a) >= STAGES.indexOf(b) ? a : b);

export const newHost = (name: string): HostState => ({
  name,
  stage: "waiting",
  seen: false,
  unseenWhy: "",
  unseenAt: null,
  unseenKind: "silent",
  lost: null,
  faults: 0,
  attempt: 0,
  facts: null,
  dirs: null,
  agent: null,
  driver: "",
  dialled: null,
  sshPort: null,
  why: "",
  dir: null,
  python: null,
  lacks: null,
  scratch: null,
  notes: [],
  sessionNames: [],
  scriptSha256: null,
  claim: null,
  armed: null,
  problem: null,
  launcherExit: null,
  mayRun: false,
  receipt: null,
});

export function patch(state: RunState, name: string, change: (host: HostState) => Partial<HostState>): RunState {
  const host = state.hosts[name];
  return host === undefined ? state : { ...state, hosts: { ...state.hosts, [name]: { ...host, ...change(host) } } };
}

/** A controller that has just started hears nobody yet. */
export function unseeAll(state: RunState, at: number, why = "the controller was started again"): RunState {
  const hosts = Object.entries(state.hosts).map(([name, host]) => [
    name,
    host.agent === null ? host : { ...host, seen: false, unseenWhy: why, unseenAt: at, unseenKind: "silent" as const, witness: null },
  ]);
  return { ...state, hosts: Object.fromEntries(hosts) };
}

export function mapMembers(state: RunState, change: (host: HostState) => HostState): RunState {
  const changed = Object.fromEntries(Object.entries(state.hosts).map(([name, host]) => [name, state.members.includes(name) ? change(host) : host]));
  return { ...state, hosts: changed };
}
