/**
 * What the controller must be doing, given the state of a run: a pure function of the state, so a controller that was killed
 * and started again wants exactly what it wanted before. Each effect has a key; one that is under way is not begun twice,
 * one that is no longer wanted is dropped, and doing one twice is harmless.
 */

import type { TimerKey } from "./events.ts";
import { hostsOf, isOver, membersOf, type RunState } from "./state.ts";

export type Effect = { readonly key: string } & (
  | { readonly do: "link"; readonly host: string }
  | { readonly do: "prepare"; readonly host: string }
  | { readonly do: "begin-attempt"; readonly attempt: number }
  | { readonly do: "arm"; readonly host: string; readonly attempt: number }
  | { readonly do: "launch"; readonly host: string; readonly attempt: number }
  | { readonly do: "stop"; readonly host: string; readonly attempt: number; readonly graceMs: number; readonly why: string }
  /** Newer state for the host's record, so that who takes over knows of a stop or a failure. Under way for as long as the phase lasts. */
  | { readonly do: "record"; readonly host: string }
  | { readonly do: "forget"; readonly host: string }
  | { readonly do: "finish" }
  | { readonly do: "timer"; readonly timer: TimerKey; readonly at: number /* ms since epoch */ }
);

/** Beyond the grace: SIGKILL, sweep and the way back. */
const STOP_SLACK_MS = 20_000;
const DRAIN_MS = 60_000;
const FORGET_MS = 10_000;

export function wanted(state: RunState): readonly Effect[] {
  const members = membersOf(state);
  const graceMs = state.stop?.graceMs ?? state.spec.timeouts.stopGraceMs;
  const { phase, attempt } = state;
  if (isOver(state)) return afterwards(state);
  const records = members.filter((h) => h.seen).map((h): Effect => ({ key: `record:${phase}:${attempt}:${h.name}`, do: "record", host: h.name }));
  const links = (phase === "connecting" ? hostsOf(state) : members).filter((h) => h.stage !== "refused").map((h) => link(h.name));
  switch (phase) {
    case "connecting":
      return links;
    case "preparing":
      return [
        ...links,
        startTimer(state),
        ...members.filter((h) => h.stage === "connected").map((h): Effect => ({ key: `prepare:${h.name}`, do: "prepare", host: h.name })),
      ];
    case "arming":
      if (attempt === 0) return [...links, startTimer(state), { key: "begin-attempt:1", do: "begin-attempt", attempt: 1 }];
      return [
        ...links,
        startTimer(state),
        ...members.filter((h) => h.stage === "prepared").map((h): Effect => ({ key: `arm:${attempt}:${h.name}`, do: "arm", host: h.name, attempt })),
      ];
    case "launching":
      return [
        ...links,
        startTimer(state),
        ...members.filter((h) => h.stage === "armed").map((h): Effect => ({ key: `launch:${attempt}:${h.name}`, do: "launch", host: h.name, attempt })),
      ];
    case "running":
      return [
        ...links,
        ...records,
        ...(state.spec.timeouts.runMs === null ? [] : [timer("run", (state.runningAt ?? state.phaseAt) + state.spec.timeouts.runMs)]),
      ];
    case "stopping": {
      const open = members.filter((h) => h.mayRun && h.receipt === null);
      const since = Math.max(from(state, state.phaseAt), state.stop?.at ?? 0);
      return [...links, ...records, ...open.map((h) => stopOf(state, h.name)), ...(open.length > 0 ? [timer("stop", since + graceMs + STOP_SLACK_MS)] : [])];
    }
    case "draining":
      return [...links, ...records, timer("drain", from(state, state.phaseAt) + DRAIN_MS)];
    default:
      return [];
  }
}

/**
 * What is left to do for a run that is over: every host forgets it, and a host that could not be asked is a debt: it is linked again and
 * stopped whenever it answers, however late.
 */
function afterwards(state: RunState): readonly Effect[] {
  const known = hostsOf(state).filter((h) => h.agent !== null && h.stage !== "forgot");
  const owing = known.filter((h) => h.receipt === "unknown");
  const open = known.filter((h) => h.receipt !== "unknown" && (!state.due.includes("forget") || (h.seen && h.receipt !== null)));
  return [
    { key: "finish", do: "finish" },
    ...[...open, ...owing].map((h) => link(h.name)),
    ...open.map((h): Effect => ({ key: `forget:${h.name}`, do: "forget", host: h.name })),
    ...owing.map((h) => stopOf(state, h.name)),
    ...(open.length > 0 && !state.due.includes("forget") ? [timer("forget", from(state, state.phaseAt) + FORGET_MS)] : []),
  ];
}

function stopOf(state: RunState, host: string): Effect {
  const graceMs = state.stop?.graceMs ?? state.spec.timeouts.stopGraceMs;
  const why = state.failure?.text ?? `stopped by ${state.stop?.by ?? "nobody"}`;
  return { key: `stop:${state.attempt}:${host}:${graceMs}`, do: "stop", host, attempt: state.attempt, graceMs, why };
}

/** Time in which the controller was down or asleep counts for no deadline of ours. */
const from = (state: RunState, at: number): number => Math.max(at, state.awakeSince);
const link = (host: string): Effect => ({ key: `link:${host}`, do: "link", host });
const timer = (key: TimerKey, at: number): Effect => ({ key: `timer:${key}:${at}`, do: "timer", timer: key, at });
/** One deadline from the end of connecting until every rank has started. */
const startTimer = (state: RunState): Effect => timer("start", from(state, state.connectedAt ?? state.phaseAt) + state.spec.timeouts.startMs);
