/** The fold: one event onto the state of a run. Pure; time comes in with the events. */

import { EXIT } from "../errors.ts";
import { acted } from "./act.ts";
import { attemptBegun, diagnosed, hangFound, hostFailed, hostLost, hostRebooted } from "./attempt.ts";
import { gpusBusy, gpusClaimed } from "./claims.ts";
import type { RunEvent } from "./events.ts";
import { findingTold } from "./findings.ts";
import { later, newHost, patch, unseeAll } from "./host-fold.ts";
import { advance } from "./phase.ts";
import { preflightDone } from "./preflight.ts";
import { type HostState, isOver, type RankState, type RunState } from "./state.ts";
import { countWon, isOutdone, takenOver } from "./takeover.ts";
import { timedOut } from "./timed-out.ts";
import { isCurrent, troubled } from "./trouble.ts";

export type First = RunEvent & { type: "requested" | "taken-over" };
export const isFirst = (event: RunEvent): event is First => event.type === "requested" || event.type === "taken-over";

export const start = (event: First): RunState => (event.type === "taken-over" ? takenOver(event, asked(event)) : asked(event));

function asked(event: First): RunState {
  return {
    spec: event.spec,
    by: event.by,
    phase: "connecting",
    requestedAt: event.at,
    connectedAt: null,
    runningAt: null,
    endedAt: null,
    phaseAt: event.at,
    awakeSince: event.at,
    tree: null,
    epoch: 0,
    controller: "",
    machine: "",
    takeover: null,
    fenced: null,
    queue: null,
    preflight: null,
    claimedAt: null,
    attempt: 0,
    attemptAt: null,
    rdzvId: "",
    world: 0,
    hosts: Object.fromEntries(event.spec.hosts.map((host) => [host.name, newHost(host.name)])),
    members: [],
    nproc: [],
    ranks: {},
    stop: null,
    trouble: null,
    cause: null,
    past: [],
    spent: 0,
    recoverAt: null,
    checkpoint: null,
    hang: null,
    failure: null,
    verdict: null,
    logsIncomplete: [],
    due: [],
  };
}

/** Folds a whole journal. Errors: RangeError when it does not begin with `requested`. */
export function replay(events: readonly RunEvent[]): RunState {
  const [first, ...rest] = events;
  if (first === undefined || !isFirst(first)) throw new RangeError("a run's journal begins with its request, or with a takeover");
  return rest.reduce(reduce, start(first));
}

export function reduce(state: RunState, event: RunEvent): RunState {
  const next = advance(apply(state, event), event.at);
  return next.phase === state.phase ? next : { ...next, phaseAt: event.at };
}

function apply(state: RunState, event: RunEvent): RunState {
  if (isStale(state, event) || (state.fenced !== null && event.type !== "taken-over" && event.type !== "ended-elsewhere")) return state;
  switch (event.type) {
    case "requested":
      return state;
    case "taken-over":
      return isOutdone(state, event) ? state : start(event);
    case "fenced": {
      const { at, controller, machine, epoch } = event;
      return { ...state, fenced: { at, controller, machine, epoch } };
    }
    case "ended-elsewhere": {
      const { phase, endedAt, failure, owing } = event;
      return state.fenced === null ? state : { ...state, fenced: { ...state.fenced, end: { phase, endedAt, failure, owing } } };
    }
    case "controller-started": {
      const { epoch, controller, machine = "" } = event;
      return unseeAll({ ...state, epoch, controller, machine, awakeSince: event.at }, event.at);
    }
    case "controller-woke":
      return { ...state, awakeSince: event.at };
    case "code-taken":
      return { ...state, tree: event.tree };
    case "host-connected":
      return countWon(hostConnected(state, event));
    case "host-refused":
      return patch(state, event.host, (h) => (h.stage === "waiting" ? { stage: "refused", problem: event.problem } : {}));
    case "host-unseen":
      return patch(state, event.host, (h) => ({
        seen: false,
        unseenWhy: event.why,
        unseenAt: h.seen ? event.at : (h.unseenAt ?? event.at),
        unseenKind: event.kind ?? "silent",
        unseenHint: event.hint ?? "",
        ...(event.kind === "auth" ? { witness: null } : {}),
      }));
    case "host-seen":
      return patch(state, event.host, (h) => ({
        seen: true,
        unseenWhy: "",
        unseenAt: null,
        unseenKind: "silent",
        witness: null,
        lost: h.mayRun ? h.lost : null,
      }));
    case "host-witnessed":
      return patch(state, event.host, (h) => (h.seen ? {} : { witness: { at: event.at, saw: event.saw, by: event.by } }));
    case "host-prepared": {
      const { dir, python, lacks = null, scratch, notes, sessionNames, scriptSha256 } = event;
      return patch(state, event.host, (h) => ({ dir, python, lacks, scratch, notes, sessionNames, scriptSha256, stage: later(h.stage, "prepared") }));
    }
    case "host-failed":
      return hostFailed(state, event);
    case "gpus-claimed":
      return gpusClaimed(state, event);
    case "gpus-busy":
      return gpusBusy(state, event);
    case "preflight-done":
      return preflightDone(state, event);
    case "attempt-begun":
      return attemptBegun(state, event);
    case "attempt-diagnosed":
      return diagnosed(state, event);
    case "host-lost":
      return hostLost(state, event);
    case "hang-found":
      return hangFound(state, event);
    case "hang-over":
      return { ...state, hang: null };
    case "finding":
      return { ...state, findings: findingTold(state, event.attempt, event.finding) };
    case "host-armed":
      return patch(state, event.host, (h) => ({ armed: { ports: event.ports, dir: event.dir, socket: event.socket }, stage: later(h.stage, "armed") }));
    case "host-launched":
      return patch(state, event.host, (h) => ({ stage: later(h.stage, "launched") }));
    case "rank-started":
      return setRank(state, { rank: event.rank, host: event.host, pid: event.pid, startedAt: event.at, exit: null });
    case "rank-exited":
      return rankExited(state, event);
    case "launcher-exited":
      return launcherExited(state, event);
    case "host-stopping":
    case "log-gap":
      return state;
    case "host-ended":
      return hostEnded(state, event);
    case "host-rebooted":
      return hostRebooted(state, event);
    case "host-drained":
      return patch(state, event.host, (h) => (hasArmed(h) ? { stage: later(h.stage, "drained") } : {}));
    case "host-forgot":
      return patch(state, event.host, () => ({ stage: "forgot" }));
    case "stop-requested":
      return isOver(state) ? state : { ...state, stop: sooner(state, event), verdict: state.verdict ?? "stopped" };
    case "acted":
      return acted(state, event);
    case "timer":
      return timedOut(state, event);
  }
}

/** Of another attempt: it changes nothing, but for the end of what a host still had of its own last one. */
function isStale(state: RunState, event: RunEvent): boolean {
  if (!("attempt" in event) || event.type === "attempt-begun") return false;
  const isOfHost = event.type === "host-ended" || event.type === "host-drained" || event.type === "host-rebooted";
  return event.attempt !== (isOfHost ? (state.hosts[event.host]?.attempt ?? 0) : state.attempt);
}

function hostConnected(state: RunState, event: RunEvent & { type: "host-connected" }): RunState {
  const { facts, dirs, agent, driver, dialled, why } = event;
  return patch(state, event.host, (h) => ({
    facts,
    dirs,
    agent,
    driver,
    sshPort: event.sshPort ?? h.sshPort,
    dialled: dialled ?? h.dialled, // its seat dials it not: peers go on to use what was dialled before
    why,
    sessionNames: event.sessionNames ?? h.sessionNames,
    seen: true,
    unseenWhy: "",
    witness: null,
    problem: h.stage === "refused" ? h.problem : null,
    stage: h.stage === "waiting" ? "connected" : h.stage,
  }));
}

const setRank = (state: RunState, rank: RankState): RunState => {
  const known = state.ranks[rank.rank];
  return { ...state, ranks: { ...state.ranks, [rank.rank]: known?.exit == null ? rank : { ...rank, exit: known.exit } } };
};

export const describeExit = (exit: { code: number | null; signal: string | null }): string =>
  exit.signal !== null ? `was ended by ${exit.signal}` : exit.code === null ? "ended, its exit code is unknown" : `exited with code ${exit.code}`;

function rankExited(state: RunState, event: RunEvent & { type: "rank-exited" }): RunState {
  const known = state.ranks[event.rank];
  if (known?.exit) return state;
  const exit = { code: event.code, signal: event.signal, at: event.seenAt };
  const next = {
    ...state,
    ranks: { ...state.ranks, [event.rank]: { rank: event.rank, host: event.host, pid: known?.pid ?? 0, startedAt: known?.startedAt ?? event.at, exit } },
  };
  const clean = event.code === 0 || (event.code === null && event.signal === null); // unknown: the launcher says it
  return clean
    ? next
    : troubled(next, {
        kind: event.signal === null ? "exit" : "signal",
        at: event.at,
        host: event.host,
        rank: event.rank,
        text: `rank ${event.rank} on ${event.host} ${describeExit(event)}`,
        exit: EXIT.runFailed,
        problem: null,
      });
}

function launcherExited(state: RunState, event: RunEvent & { type: "launcher-exited" }): RunState {
  const next = patch(state, event.host, () => ({ launcherExit: { code: event.code, signal: event.signal } }));
  if (event.code === 0) return next;
  return troubled(next, {
    kind: "launcher",
    at: event.at,
    host: event.host,
    rank: null,
    text: `${state.spec.launcher} on ${event.host} ${describeExit(event)}`,
    exit: EXIT.runFailed,
    problem: null,
  });
}

/** Since it was connected, or started again: the answer to a stop that was asked before that is about nothing that it has now. */
const hasArmed = (h: HostState): boolean => h.mayRun || !["waiting", "connected", "prepared"].includes(h.stage);

function hostEnded(state: RunState, event: RunEvent & { type: "host-ended" }): RunState {
  const known = state.hosts[event.host];
  if (known === undefined || !hasArmed(known)) return state;
  const next = patch(state, event.host, (h) => ({ receipt: event.receipt, mayRun: false, lost: null, stage: later(h.stage, "ended") }));
  const host = next.hosts[event.host];
  const ownRanks = Object.values(next.ranks).filter((rank) => rank.host === event.host);
  const well = host?.launcherExit?.code === 0 || (host?.launcherExit === null && ownRanks.length > 0 && ownRanks.every((rank) => rank.exit?.code === 0));
  if (well || !isCurrent(state, event.host)) return next;
  return troubled(next, {
    kind: "shim",
    at: event.at,
    host: event.host,
    rank: null,
    text: `the ranks on ${event.host} ended before they were done`,
    exit: EXIT.runFailed,
    problem: null,
  });
}

/** A later stop may only shorten the grace. */
function sooner(state: RunState, event: RunEvent & { type: "stop-requested" }): RunState["stop"] {
  const asked = { by: event.by, why: event.why, graceMs: event.graceMs, at: event.at };
  return state.stop === null || event.at + event.graceMs < state.stop.at + state.stop.graceMs ? asked : state.stop;
}
