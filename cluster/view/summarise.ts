/** One run as a row of `ps` and `runs`. */

import { hostShare } from "../host-count.ts";
import { presentFindings } from "../run/findings.ts";
import { decide } from "../run/policy.ts";
import { hostsOf, isOver, owingHosts, type RunState } from "../run/state.ts";
import { priceOf } from "../telemetry/cost.ts";
import type { RunSummary } from "../viewer.ts";
import { begunOf } from "./begun.ts";
import { witnessBrief } from "./host-why.ts";
import { needsAuth, whyUnseen } from "./unseen.ts";

const refusing = (state: RunState): readonly string[] =>
  isOver(state) || state.fenced !== null
    ? []
    : hostsOf(state)
        .filter(needsAuth)
        .map(({ name }) => name);

const silent = (state: RunState): NonNullable<RunSummary["unseen"]> =>
  isOver(state) || state.fenced !== null || state.phase === "connecting"
    ? []
    : hostsOf(state)
        .filter((host) => !host.seen && host.lost === null && host.agent !== null && !needsAuth(host))
        .map((host) => ({ host: host.name, at: host.unseenAt, why: whyUnseen(host), witness: witnessBrief(host) }));

const found = (state: RunState): readonly string[] =>
  state.phase === "running" && state.fenced === null
    ? [...presentFindings(state).map(({ text }) => text), ...(state.hang === null ? [] : [state.hang.text])]
    : [];

function ofLeader({ at, controller, machine, end }: NonNullable<RunState["fenced"]>): Partial<RunSummary> {
  const ledBy = machine === "" ? controller : machine;
  if (end === undefined) return { ledBy, knownAt: at };
  const { owing, ...rest } = end;
  return { ledBy, ...rest, ...(owing.length === 0 ? {} : { owing }) };
}

/** What ended the attempt, once that is known, and whom it waits for before the next. */
function whyOf(state: RunState): string | null {
  const { failure, trouble, cause, phase, verdict } = state;
  if (failure !== null || trouble === null) return failure?.text ?? null;
  if (phase !== "recovering" || cause === null || verdict !== null) return (cause ?? trouble).text;
  const decision = decide(state);
  return decision.go === "wait" ? `${cause.text}; ${decision.text}` : cause.text;
}

const priced = (pricePerHour: number | null): Partial<RunSummary> => (pricePerHour === null ? {} : { pricePerHour });

export const summarise = (state: RunState): RunSummary => ({
  run: state.spec.run,
  name: state.spec.name,
  phase: state.phase,
  ...hostShare(state.spec, state),
  ...begunOf(state),
  requestedAt: state.requestedAt,
  endedAt: state.endedAt,
  file: state.spec.file,
  by: state.by,
  failure: whyOf(state),
  ...(state.queue === null || state.verdict !== null ? {} : { waitsFor: state.queue.busy }),
  ...(refusing(state).length === 0 ? {} : { needsAuth: refusing(state) }),
  ...(silent(state).length === 0 ? {} : { unseen: silent(state) }),
  ...(found(state).length === 0 ? {} : { findings: found(state) }),
  ...(state.spec.tags.length === 0 ? {} : { tags: state.spec.tags }),
  ...priced(priceOf(state)),
  ...(owingHosts(state).length === 0 ? {} : { owing: owingHosts(state).map(({ name }) => name) }),
  ...(state.fenced === null ? {} : ofLeader(state.fenced)),
});
