/** Taking a run over from the records that its agents keep: whose word counts, whether the leader may still lead, what the taker may do. Pure. */

import type { RunRecord } from "../protocol.ts";
import type { RunSpec } from "../spec.ts";
import type { RunEvent } from "./events.ts";
import { unseeAll } from "./host-fold.ts";
import { hostsOf, type RecordedState, type RecordKey, type RunState } from "./state.ts";

/** What one agent said of one run. */
export type Kept = {
  readonly host: string;
  readonly record: RunRecord;
  /** The controller on record has a link there now. */
  readonly isLinked: boolean;
  /** Since the agent last heard from the controller on record; while it never did, since the agent was started. */
  readonly heardMs: number;
};

export type Asked = {
  readonly kept: readonly Kept[];
  /** Hosts that answered, whether or not they know the run: one that was started again may be won, too. */
  readonly reached: readonly string[];
  /** Who asks. */
  readonly controller: string;
  readonly force: boolean;
};

export type Verdict =
  | { readonly go: "unknown" }
  /** The controller on record leads it, or did until just now. */
  | { readonly go: "led"; readonly record: RunRecord; readonly heardMs: number; readonly host: string; readonly waitMs: number | null }
  /** Too few hosts: another controller could win as many. */
  | { readonly go: "minority"; readonly record: RunRecord; readonly reached: readonly string[]; readonly hosts: number }
  | { readonly go: "take"; readonly record: RunRecord; readonly epoch: number; readonly isMajority: boolean; readonly hosts: number; readonly won: number };

/** A controller that no agent heard for so long may be taken over without being told to: one that is started again is back in a second. */
export const QUIET_MS = 30_000;

export function judgeTakeover({ kept, reached, controller, force }: Asked): Verdict {
  const record = latestOf(kept);
  if (record === null) return { go: "unknown" };
  const heard = kept.filter((k) => k.record.controller === record.controller && k.record.epoch === record.epoch);
  const [last] = heard.toSorted((a, b) => Number(b.isLinked) - Number(a.isLinked) || a.heardMs - b.heardMs);
  if (last !== undefined && !force && record.controller !== controller && (last.isLinked || last.heardMs < QUIET_MS)) {
    return { go: "led", record, heardMs: last.heardMs, host: last.host, waitMs: last.isLinked ? null : QUIET_MS - last.heardMs };
  }
  const hosts = votersOf(record);
  const won = new Set([...kept.map((k) => k.host), ...reached.filter((name) => hosts.includes(name))]);
  const isMajority = won.size * 2 > hosts.length;
  if (!isMajority && !force) return { go: "minority", record, reached: [...won], hosts: hosts.length };
  // Above every epoch that was ever told, also one that a taker with few hosts has left behind.
  const epoch = Math.max(...kept.map((k) => k.record.epoch)) + 1;
  return { go: "take", record, epoch, isMajority, hosts: hosts.length, won: won.size };
}

export function latestOf(kept: readonly Kept[]): RunRecord | null {
  const [latest] = kept.map((k) => k.record).toSorted((a, b) => order(keyOf(b), keyOf(a)) || order(b, a));
  return latest ?? null;
}

const order = (a: RecordKey, b: RecordKey): number => a.epoch - b.epoch || a.seq - b.seq;

/** The taker read before the run went on: it must begin from `kept` instead, or an attempt that was begun meanwhile would be forgotten. */
export const isStale = (taker: RunRecord, kept: RunRecord): boolean => order(keyOf(kept), keyOf(taker)) > 0;

/**
 * A taker that never won a majority has decided nothing: its record is worth what it began from, however high its epoch. Else the stale word
 * of the one host that it reached would count above that of all others, where the run went on meanwhile.
 */
export function keyOf(record: RunRecord): RecordKey {
  const { takeover = null } = (record.state ?? {}) as Recorded;
  return takeover === null || takeover.isWon ? { epoch: record.epoch, seq: record.seq } : takeover.base;
}

type Recorded = Partial<Pick<RecordedState, "takeover">> & { readonly hosts?: Readonly<Record<string, { readonly agent?: unknown } | undefined>> };

/** Hosts that ever took the run on: a majority of them says who leads. */
function votersOf({ state }: RunRecord): readonly string[] {
  const { hosts = {} } = (state ?? {}) as Recorded;
  return Object.entries(hosts).flatMap(([name, host]) => (host?.agent == null ? [] : [name]));
}

/** Those of them whose agent has taken this controller on: only then are their facts known again. */
const wonHosts = (state: RunState): number => hostsOf(state).filter((h) => h.agent !== null && h.facts !== null).length;
/** Where lines of the journal were lost, any host may have taken the run on. */
const voters = (state: RunState): number => hostsOf(state).filter((h) => h.agent !== null || state.takeover?.controller === state.controller).length;

/** Without a majority another controller may lead the run elsewhere: then this one watches and stops, and starts nothing. */
export const mayLaunch = ({ takeover }: RunState): boolean => takeover === null || takeover.isWon;

/** Won once is won: who comes after has a higher epoch, and then this one is fenced. */
export function countWon(state: RunState): RunState {
  const { takeover } = state;
  return takeover === null || takeover.isWon || wonHosts(state) * 2 <= voters(state) ? state : { ...state, takeover: { ...takeover, isWon: true } };
}

export const minorityText = (state: RunState): string =>
  `${wonHosts(state)} of ${voters(state)} hosts have taken this controller on; a new attempt takes a majority`;

/** A run as this controller finds it: nobody has been heard yet, and no deadline counts what was before. */
export function takenOver(event: RunEvent & { type: "taken-over" }, fresh: RunState): RunState {
  const { at, spec, epoch, controller, machine, from, by, base } = event;
  const state: RunState = {
    ...fresh,
    ...event.state,
    spec,
    epoch,
    controller,
    machine,
    awakeSince: at,
    fenced: null,
    takeover: { at, by, ...from, isWon: false, base },
  };
  const hosts = Object.entries({ ...fresh.hosts, ...state.hosts }).map(([name, host]) => [name, { ...fresh.hosts[name], ...host, facts: null }]);
  return unseeAll({ ...state, hosts: Object.fromEntries(hosts) }, at, "another controller has taken over");
}

/** Several hosts may tell of a newer record at once: the newest counts, and none after the takeover is done. */
export const isOutdone = ({ takeover, controller, epoch }: RunState, event: RunEvent & { type: "taken-over" }): boolean =>
  takeover !== null && controller === event.controller && epoch === event.epoch && (takeover.isWon || order(event.base, takeover.base) <= 0);

/** Every host as this machine's file reaches it; a host that the file lacks stays as it was. */
export function reachedAs(spec: RunSpec, here: RunSpec["hosts"], file: string | null): RunSpec {
  const hosts = spec.hosts.map((host) => {
    const mine = here.find((h) => h.name === host.name);
    if (mine === undefined) return host;
    const { sshHost: _a, user: _b, port: _c, identity: _d, isSeat: _e, ...rest } = host;
    const { sshHost, user, port, identity, isSeat } = mine;
    return {
      ...rest,
      ...(sshHost === undefined ? {} : { sshHost }),
      ...(user === undefined ? {} : { user }),
      ...(port === undefined ? {} : { port }),
      ...(identity === undefined ? {} : { identity }),
      ...(isSeat === undefined ? {} : { isSeat }),
    };
  });
  return { ...spec, hosts, file };
}
