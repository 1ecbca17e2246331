/** The fold's arms for GPUs: whose claims an attempt lacks, when it has them, and that it waits. */

import type { RunEvent } from "./events.ts";
import { patch } from "./host-fold.ts";
import { isOver, type RunState } from "./state.ts";

type Of<T extends RunEvent["type"]> = RunEvent & { readonly type: T };

/** Of these hosts those whose GPUs are not the run's yet; CPU ranks claim nothing. */
export const unclaimed = ({ spec, hosts }: RunState, members: readonly string[]): readonly string[] =>
  members.filter((name) => {
    const { gpus } = spec.hosts.find((host) => host.name === name) ?? {};
    const claimsNothing = gpus === undefined || gpus.kind === "none" || (gpus.kind === "count" && gpus.count === 0);
    return !claimsNothing && (hosts[name]?.claim ?? null) === null;
  });

export function gpusClaimed(state: RunState, { claims, at }: Of<"gpus-claimed">): RunState {
  if (isOver(state)) return state;
  const next = Object.entries(claims).reduce((now, [name, { gpus }]) => patch(now, name, () => ({ claim: gpus })), state);
  return { ...next, queue: null, claimedAt: at };
}

/** Only a run that is about to begin an attempt waits. */
export function gpusBusy(state: RunState, { busy, at }: Of<"gpus-busy">): RunState {
  if (!["preparing", "arming", "recovering"].includes(state.phase) || state.verdict !== null) return state;
  return { ...state, queue: { since: state.queue?.since ?? at, busy } };
}
