/**
 * What the controller must be doing, given the state of a run: a pure function of the state, so a controller that was killed
 * and started again wants exactly what it wanted before. Each effect has a key; one that is under way is not begun twice,
 * one that is no longer wanted is dropped, and doing one twice is harmless.
 */

import { unclaimed } from "./claims.ts";
import type { TimerKey } from "./events.ts";
import { decide } from "./policy.ts";
import { awaitsPreflight } from "./preflight.ts";
import { type HostState, hostsOf, isOver, membersOf, type RunState } from "./state.ts";
import { mayLaunch } from "./takeover.ts";

export type Effect = { readonly key: string } & (
  | { readonly do: "link"; readonly host: string }
  | { readonly do: "prepare"; readonly host: string }
  /** The quick checks of diag, beside all that comes before a launch. */
  | { readonly do: "preflight"; readonly hosts: readonly string[] }
  /** GPUs of these hosts, all or none; under way for as long as they are waited for. */
  | { readonly do: "claim"; readonly hosts: readonly string[] }
  | { readonly do: "begin-attempt"; readonly attempt: number; readonly members: readonly string[] }
  | { readonly do: "arm"; readonly host: string; readonly attempt: number }
  | { readonly do: "launch"; readonly host: string; readonly attempt: number }
  | { readonly do: "stop"; readonly host: string; readonly attempt: number; readonly graceMs: number; readonly why: string }
  /** Newer state for the host's record, so that who takes over knows of a stop or a failure. Under way for as long as the phase lasts. */
  | { readonly do: "record"; readonly host: string }
  /** Is this silent host gone? Under way for as long as it is silent. */
  | { readonly do: "witness"; readonly host: string }
  /** Does it get on? Under way for as long as it runs. */
  | { readonly do: "watch-hang" }
  /** Why did the attempt fail? */
  | { readonly do: "diagnose"; readonly attempt: number }
  | { readonly do: "forget"; readonly host: string }
  | { readonly do: "finish" }
  | { readonly do: "timer"; readonly timer: TimerKey; readonly at: number /* ms since epoch */ }
);

/** Beyond the grace: SIGKILL, sweep and the way back. */
const STOP_SLACK_MS = 20_000;
const DRAIN_MS = 60_000;
const HUNG_GRACE_MS = 3000;
const FORGET_MS = 10_000;

export function wanted(state: RunState): readonly Effect[] {
  if (state.fenced !== null) return [];
  if (isOver(state)) return afterwards(state);
  const hosts = hostsOf(state);
  const known = hosts.filter((h) => h.stage !== "refused");
  return [
    ...known.map((h) => link(h.name)),
    ...(state.phase === "connecting" ? [] : ofPhase(state)),
    ...(state.verdict === null && state.phase !== "connecting"
      ? known.filter((h) => h.stage === "connected" && h.excluded === undefined).map((h) => prepare(h.name))
      : []),
    // What a lost host still has of an attempt that went on without it is ended as soon as it answers.
    ...(state.phase === "stopping" ? [] : hosts.filter((h) => h.lost !== null && h.mayRun && h.seen).map((h) => stopOf(state, h, 0))),
    ...membersOf(state)
      .filter((h) => isMissed(state, h))
      .map((h): Effect => ({ key: `witness:${h.name}`, do: "witness", host: h.name })),
    ...runTimer(state),
  ];
}

/** Any other program than a trainer may be quiet for as long as it likes, unless the file says for how long. */
const mayHang = ({ spec }: RunState): boolean => spec.launcher !== "command" || spec.timeouts.hangMs !== null;

function ofPhase(state: RunState): readonly Effect[] {
  const members = membersOf(state);
  const { phase, attempt } = state;
  const records = hostsOf(state)
    .filter((h) => h.seen && h.agent !== null)
    .map((h): Effect => ({ key: `record:${phase}:${attempt}.${state.acts ?? 0}:${h.name}`, do: "record", host: h.name }));
  switch (phase) {
    case "preparing":
      // What it waits for in a queue is nobody's delay.
      return [...(state.queue === null ? [startTimer(state)] : []), ...(canStart(state, members) ? [...claim(state, state.members), ...preflight(state)] : [])];
    case "arming":
      if (!canStart(state, members)) return [startTimer(state)];
      if (state.attemptAt === null) return [...(state.queue === null ? [startTimer(state)] : []), beginAttempt(state, 1, state.members), ...preflight(state)];
      return [
        startTimer(state),
        ...preflight(state),
        ...members.filter((h) => h.stage === "prepared").map((h): Effect => ({ key: `arm:${attempt}:${h.name}`, do: "arm", host: h.name, attempt })),
      ];
    case "launching":
      if (!canStart(state, members)) return [startTimer(state)];
      return [
        startTimer(state),
        ...members.filter((h) => h.stage === "armed").map((h): Effect => ({ key: `launch:${attempt}:${h.name}`, do: "launch", host: h.name, attempt })),
      ];
    case "running":
      return [...records, ...(mayHang(state) ? [{ key: `watch-hang:${attempt}`, do: "watch-hang" } as const] : [])];
    case "stopping": {
      const open = members.filter((h) => h.mayRun && (h.receipt === null || (h.lost !== null && h.seen)));
      const since = Math.max(from(state, state.phaseAt), state.stop?.at ?? 0);
      return [
        ...records,
        ...open.map((h) => stopOf(state, h)),
        ...(open.some((h) => h.receipt === null) ? [timer("stop", since + graceOf(state) + STOP_SLACK_MS)] : []),
      ];
    }
    case "recovering":
      return [...records, ...recover(state)];
    case "draining":
      return [...records, timer("drain", from(state, state.phaseAt) + DRAIN_MS)];
    default:
      return [];
  }
}

/** After a takeover a plan is made only when every host has been looked at again, and with a majority. */
const canStart = (state: RunState, members: readonly HostState[]): boolean => mayLaunch(state) && members.every((h) => h.facts !== null);

function recover(state: RunState): readonly Effect[] {
  const { attempt } = state;
  if (state.cause === null) return [{ key: `diagnose:${attempt}`, do: "diagnose", attempt }];
  const decision = decide(state);
  if (decision.go !== "again") return [];
  if (!state.due.includes("backoff")) return [timer("backoff", state.recoverAt ?? state.phaseAt)];
  const { members } = decision;
  if (
    !canStart(
      state,
      hostsOf(state).filter((h) => members.includes(h.name)),
    )
  )
    return [];
  return [beginAttempt(state, attempt + 1, members)];
}

/** Not before all its GPUs are the run's. */
function beginAttempt(state: RunState, attempt: number, members: readonly string[]): Effect {
  const [first] = claim(state, members);
  return first ?? { key: attempt === 1 ? "begin-attempt:1" : `begin-attempt:${attempt}:${members.join(",")}`, do: "begin-attempt", attempt, members };
}

const preflight = (state: RunState): readonly Effect[] => (awaitsPreflight(state) ? [{ key: "preflight", do: "preflight", hosts: state.members }] : []);

function claim(state: RunState, members: readonly string[]): readonly Effect[] {
  const hosts = unclaimed(state, members);
  return hosts.length === 0 ? [] : [{ key: `claim:${hosts.join(",")}`, do: "claim", hosts }];
}

/** Silent, and something depends on it. Expired credentials say nothing about the host. */
const isMissed = ({ phase }: RunState, h: HostState): boolean =>
  !h.seen &&
  h.unseenKind === "silent" &&
  h.lost === null &&
  (h.receipt === null || phase === "recovering") &&
  ["arming", "launching", "running", "stopping", "recovering"].includes(phase);

const runTimer = ({ phase, runningAt, spec }: RunState): readonly Effect[] =>
  spec.timeouts.runMs === null || runningAt === null || phase === "stopping" || phase === "draining" ? [] : [timer("run", runningAt + spec.timeouts.runMs)];

/** The boot that a host had when a run that ends was on it: in another one nothing of it can be alive. null: not known, or there is more to do there than to end it. */
export function bootOfDebt(state: RunState, name: string): string | null {
  const host = state.hosts[name];
  const isEnding = isOver(state) || state.verdict !== null;
  return isEnding && host?.mayRun === true ? (host.facts?.bootId ?? null) : null;
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
    ...owing.map((h) => stopOf(state, h)),
    ...(open.length > 0 && !state.due.includes("forget") ? [timer("forget", from(state, state.phaseAt) + FORGET_MS)] : []),
  ];
}

/** Ranks of a hang have nothing to save: they stand in a collective that does not end. */
export const graceOf = ({ stop, trouble, spec }: RunState): number =>
  stop?.graceMs ?? (trouble?.kind === "hang" ? Math.min(HUNG_GRACE_MS, spec.timeouts.stopGraceMs) : spec.timeouts.stopGraceMs);

function stopOf(state: RunState, { name, attempt }: HostState, graceMs = graceOf(state)): Effect {
  const why = state.failure?.text ?? state.trouble?.text ?? `stopped by ${state.stop?.by ?? "nobody"}`;
  return { key: `stop:${attempt}:${name}:${graceMs}`, do: "stop", host: name, attempt, graceMs, why };
}

/** Time in which the controller was down or asleep counts for no deadline of ours. */
const from = (state: RunState, at: number): number => Math.max(at, state.awakeSince);
const link = (host: string): Effect => ({ key: `link:${host}`, do: "link", host });
const prepare = (host: string): Effect => ({ key: `prepare:${host}`, do: "prepare", host });
const timer = (key: TimerKey, at: number): Effect => ({ key: `timer:${key}:${at}`, do: "timer", timer: key, at });
/** One deadline from the end of connecting, or the beginning of a later attempt, until every rank has started. */
const startTimer = (state: RunState): Effect =>
  timer(
    "start",
    from(state, Math.max(state.connectedAt ?? state.phaseAt, state.claimedAt ?? 0, state.attempt > 1 ? (state.attemptAt ?? 0) : 0)) +
      state.spec.timeouts.startMs,
  );
