/** Which phase a run is in, derived from its facts: each arm says why the run moves on. Never moves backwards. */

import { EXIT } from "../errors.ts";
import { unclaimed } from "./claims.ts";
import { decide } from "./policy.ts";
import { awaitsPreflight, isKeptBack, keptBack } from "./preflight.ts";
import { sameHost } from "./same-host.ts";
import { type HostState, hostsOf, isOver, membersOf, type RunState } from "./state.ts";

export function advance(state: RunState, at: number): RunState {
  let current = state;
  for (;;) {
    const next = step(current, at);
    if (next === current) return current;
    current = next;
  }
}

function step(state: RunState, at: number): RunState {
  if (isOver(state)) return state;
  const members = membersOf(state);
  const ending = state.phase === "stopping" || state.phase === "draining";
  if (state.verdict !== null && state.verdict !== "succeeded" && !ending) return { ...state, phase: "stopping" };
  if (state.trouble !== null && !ending && state.phase !== "recovering") return { ...state, phase: "stopping" };
  switch (state.phase) {
    case "connecting":
      return connected(state, at);
    case "preparing":
      if (state.queue !== null && isKeptBack(state)) return keptBack(state, at); // not after a long wait
      return members.every((h) => h.stage === "prepared") && unclaimed(state, state.members).length === 0 ? { ...state, phase: "arming" } : state;
    case "arming":
      if (state.attemptAt === null || awaitsPreflight(state) || members.some((h) => h.stage !== "armed")) return state;
      return isKeptBack(state) ? keptBack(state, at) : { ...state, phase: "launching" };
    case "launching":
      if (members.every(isDone)) return { ...state, phase: "draining", verdict: "succeeded" };
      return allStarted(state) ? { ...state, phase: "running", runningAt: state.runningAt ?? at } : state;
    case "running":
      return members.every(isDone) ? { ...state, phase: "draining", verdict: "succeeded" } : state;
    case "stopping":
      if (members.some((h) => h.mayRun && h.receipt === null)) return state;
      return { ...state, phase: state.verdict === null ? "recovering" : "draining" };
    case "recovering":
      return recovered(state);
    case "draining":
      return members.every(isDrained) || state.due.includes("drain") ? { ...state, phase: state.verdict ?? "failed", endedAt: at } : state;
    default:
      return state;
  }
}

const isDone = (h: HostState): boolean => h.receipt !== null;
/** A host that armed nothing (or nothing since it was started again), or that could not be asked, has no logs to wait for. */
export const isDrained = (h: HostState): boolean =>
  ["connected", "prepared", "drained", "forgot"].includes(h.stage) || h.receipt === "unknown" || h.receipt === null;
const allStarted = (state: RunState): boolean =>
  state.world > 0 && Object.keys(state.ranks).length >= state.world && membersOf(state).every((h) => h.stage !== "armed");

/** No other attempt: the run has failed. */
function recovered(state: RunState): RunState {
  const { cause, trouble } = state;
  if (cause === null || trouble === null) return state;
  const decision = decide(state);
  if (decision.go !== "fail") return state;
  const failure = { ...trouble, host: cause.host ?? trouble.host, rank: cause.rank ?? trouble.rank, text: decision.text };
  return { ...state, phase: "draining", verdict: "failed", failure };
}

/** Connecting is over when every host has answered or was given up. */
function connected(state: RunState, at: number): RunState {
  const hosts = hostsOf(state).filter((h) => !state.spec.spares.includes(h.name));
  if (hosts.some((h) => h.stage === "waiting")) return state;
  const members = hosts.filter((h) => h.stage !== "refused").map((h) => h.name);
  const refused = hosts.filter((h) => h.stage === "refused");
  const store =
    state.spec.rdzv === null ? undefined : state.spec.hosts.find((h) => h.name === state.spec.rdzv?.host || h.address === state.spec.rdzv?.host)?.name;
  const enough = members.length >= state.spec.minHosts && (store === undefined || members.includes(store));
  const twins = enough ? sameHost(state, members) : null;
  if (twins !== null)
    return {
      ...state,
      members,
      verdict: "failed",
      failure: { at, host: twins.host, rank: null, text: twins.problem.message, exit: twins.problem.exit, problem: twins.problem },
    };
  if (enough) return { ...state, members, phase: "preparing", connectedAt: at };
  const [only] = refused;
  const names = refused.length === 1 && only?.problem ? only.problem.message : `not reached: ${refused.map((h) => h.name).join(", ")}`;
  const why =
    store !== undefined && !members.includes(store)
      ? `${store}, which rdzv names, cannot be reached`
      : `${members.length} of ${hosts.length} hosts are ready, ${state.spec.minHosts} are needed; ${names}`;
  return {
    ...state,
    members,
    verdict: "failed",
    failure: {
      at,
      host: refused[0]?.name ?? null,
      rank: null,
      text: why,
      exit: refused[0]?.problem?.exit ?? EXIT.unreachable,
      problem: refused[0]?.problem ?? null,
    },
  };
}
