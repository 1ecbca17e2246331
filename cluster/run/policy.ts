/** What follows an attempt that failed: another one, and with whom; a wait; or the end. Pure: from the state alone. */

import type { RestartSpec } from "../spec.ts";
import type { Cause } from "./cause.ts";
import { FAULTS_MAX, freeSpares, isAside, isGone, isReady, leastHosts, withoutExcluded } from "./exclude.ts";
import { type HostState, membersOf, type PastAttempt, type RunState } from "./state.ts";

export { FAULTS_MAX, isReady };

export type Decision =
  | { readonly go: "fail"; readonly text: string }
  | { readonly go: "wait"; readonly text: string }
  /** `members` in the order of their ranks. */
  | { readonly go: "again"; readonly members: readonly string[] };

/** An attempt that lasted this long refills the budget also where nobody can tell progress. */
export const LONG_MS = 3_600_000;
const BACKOFF_MAX_MS = 300_000;

/** The restart budget is the program's: what hosts, links and people do costs nothing. */
export const costsBudget = ({ kind }: Cause): boolean => !["host-lost", "host-rebooted", "asked"].includes(kind);

export function backoffMs({ backoffMs: first }: RestartSpec, cause: Cause, spent: number, jitter: number): number {
  if (!costsBudget(cause)) return 0;
  return Math.min(BACKOFF_MAX_MS, first * 2 ** Math.min(20, Math.max(0, spent - 1))) * (1 + jitter / 4);
}

export function decide(state: RunState): Decision {
  const { cause } = state;
  if (cause === null) return { go: "wait", text: "finding out why" };
  const why = whyNot(state, cause);
  return why === null ? withWhom(state, cause) : { go: "fail", text: why };
}

/** Why there is no other attempt; null: there may be one. */
function whyNot(state: RunState, cause: Cause): string | null {
  const { restart } = state.spec;
  const alive = membersOf(state).find((h) => h.receipt === "unknown" && h.lost === null) ?? membersOf(state).find((h) => isLeft(h));
  if (alive !== undefined) return `${cause.text}; not tried again: ${wordsOfLeft(alive)}`;
  if (cause.kind === "asked") return null;
  if (restart.max === 0) return cause.text;
  if (!costsBudget(cause)) return null;
  if (cause.exitCode !== null && restart.stopCodes.includes(cause.exitCode)) return `${cause.text}; restart.stop_codes ends the run on ${cause.exitCode}`;
  if (cause.kind === "hang" && restart.onHang === "stop") return cause.text;
  if (cause.isFinal) return `${cause.text}; another attempt would end the same way`;
  const twice = sameBefore(state, cause);
  if (twice !== null) return `${cause.text}; the same ended attempt ${twice.attempt}, and no checkpoint was made since`;
  if (state.spent > restart.max) return `${cause.text}; restart.max (${restart.max}) is used up`;
  return null;
}

const isLeft = ({ receipt }: HostState): boolean => receipt !== null && receipt !== "unknown" && receipt.left !== 0;

function wordsOfLeft({ name, receipt }: HostState): string {
  if (receipt === null || receipt === "unknown") return `${name} could not be asked whether anything is left of it`;
  const pids = receipt.leftPids.map(({ pid, comm }) => `${pid} (${comm})`).join(", ");
  return receipt.left === null ? `it is not known whether anything is left of it on ${name}` : `on ${name} is still alive: ${pids}`;
}

/** The attempt before, when the same exception at the same place ended it and neither got further. A bare code or signal may have any cause. */
function sameBefore({ past, spec }: RunState, cause: Cause): PastAttempt | null {
  const now = past.at(-1);
  const before = past.at(-2);
  if (now === undefined || before === undefined || cause.kind !== "exception" || cause.place === null || now.hasProgressed) return null;
  if (cause.exitCode !== null && spec.restart.retryCodes.includes(cause.exitCode)) return null;
  return before.cause.kind === cause.kind && before.cause.place === cause.place ? before : null;
}

function withWhom(state: RunState, cause: Cause): Decision {
  const places = withoutExcluded(state);
  if (places.go !== "with") return places;
  const { members } = places;
  const gone = members.flatMap((name) => state.hosts[name] ?? []).filter(isGone);
  if (gone.length === 0) return whenReady(state, members);
  switch (state.spec.restart.onHostLoss) {
    case "fail":
      return { go: "fail", text: `${cause.text}; restart.on_host_loss is fail` };
    case "shrink": {
      const left = members.filter((name) => !gone.some((h) => h.name === name));
      const least = leastHosts(state);
      if (left.length < least) return waitFor(gone, `${left.length} of at least ${least} hosts are left`);
      return whenReady(state, left);
    }
    case "spare": {
      const free = freeSpares(state, [...state.members, ...members]);
      const taken = members.map((name) => (gone.some((h) => h.name === name) ? (free.shift()?.name ?? name) : name));
      const without = gone.filter((h) => taken.includes(h.name));
      return without.length > 0 ? waitFor(without, "no spare is ready") : whenReady(state, taken);
    }
    case "wait":
      return waitFor(gone);
  }
}

/** A host that was set aside does not come back by waiting. */
function waitFor(gone: readonly HostState[], because?: string): Decision {
  const aside = gone.find((h) => h.lost === null && isAside(h));
  const prefix = because === undefined ? "" : `${because}; `;
  if (aside !== undefined) return { go: "fail", text: `${prefix}${aside.name} was the cause ${aside.faults} times and is set aside` };
  const [only] = gone;
  const who = gone.length === 1 && only !== undefined ? `${only.name} (${only.lost ?? ""})` : gone.map((h) => h.name).join(", ");
  return { go: "wait", text: `${prefix}waiting for ${who} to come back` };
}

function whenReady(state: RunState, members: readonly string[]): Decision {
  const late = members.filter((name) => {
    const host = state.hosts[name];
    return host === undefined || !isReady(host);
  });
  return late.length === 0 ? { go: "again", members } : { go: "wait", text: `waiting for ${late.join(", ")} to be ready` };
}
