/** What of a run its telemetry is read by. */

import { membersOf, type RunState } from "../run/state.ts";
import { median, type Pace } from "../steps/pace.ts";
import type { Sample } from "./sample.ts";

/** What was told of the run when a sample came. */
export type RunNow = {
  readonly state: RunState;
  readonly pace: Pace | null;
  /** The controller's clock. */
  readonly now: number;
};

/** What is compared over all hosts: made every few seconds, not for each sample. */
export type AboutRun = {
  readonly hosts: ReadonlyMap<string, OnHost>;
  /** The clock of the same kind of GPU in the whole run: name → median MHz and of how many. */
  readonly clocks: ReadonlyMap<string, { readonly median: number; readonly count: number }>;
  /** What a rank works in a step beside the median of all others; only of ranks that tell it. */
  readonly busy: ReadonlyMap<number, Beside>;
  /** The same of the whole step, as its lines tell it: it differs only where ranks do not wait for each other. */
  readonly steps: ReadonlyMap<number, Beside>;
};

export type Beside = { readonly ms: number; readonly medianMs: number };
/** Of ranks, ms. */
export type RankTimes = { readonly busyMs: ReadonlyMap<number, number>; readonly stepMs: ReadonlyMap<number, number> };

type OnHost = {
  /** UUIDs of the run's GPUs there. */
  readonly gpus: readonly string[];
  readonly rankOf: ReadonlyMap<string, number>;
  readonly ranks: readonly number[];
  /** Directories that the run writes to there; those from the file may begin with "~". */
  readonly writes: readonly string[];
};

export type AboutHost = OnHost &
  Omit<AboutRun, "hosts"> & {
    readonly host: string;
    readonly runningMs: number;
    /** Since the training last moved; null: it tells no steps. */
    readonly stillMs: number | null;
    /** Until its last step; null: not known. */
    readonly leftMs: number | null;
  };

export function aboutRun(state: RunState, times: RankTimes, samples: ReadonlyMap<string, Sample>): AboutRun {
  const hosts = new Map(membersOf(state).map(({ name }) => [name, onHost(state, name, samples.get(name))]));
  return { hosts, clocks: clocksOf(hosts, samples), busy: besideOthers(times.busyMs), steps: besideOthers(times.stepMs) };
}

/** null: nothing of the run is alive there, and nothing is judged. */
export function aboutHost({ hosts, clocks, busy, steps }: AboutRun, { state, pace, now }: RunNow, host: string): AboutHost | null {
  const own = hosts.get(host);
  if (state.phase !== "running" || state.runningAt === null || own === undefined) return null;
  return {
    ...own,
    host,
    clocks,
    busy,
    steps,
    runningMs: now - Math.max(state.runningAt, state.awakeSince),
    stillMs: pace === null || pace.step === null ? null : Math.max(0, now - pace.at),
    leftMs: pace === null || pace.isInEpoch ? null : pace.leftMs,
  };
}

/** GPUs that it claimed there, or that its ranks are seen on; each with its rank. */
function onHost(state: RunState, host: string, sample: Sample | undefined): OnHost {
  const ranks = Object.values(state.ranks).filter((rank) => rank.host === host && rank.exit === null);
  const byPid = new Map(ranks.map(({ pid, rank }) => [pid, rank]));
  const seen = Object.values(sample?.processes ?? {}).filter(({ owner, run }) => owner === "ours" && run === state.spec.run);
  const gpus = state.hosts[host]?.claim ?? [...new Set(seen.map(({ gpu }) => gpu))];
  const rankOf = new Map<string, number>();
  const sorted = ranks.map(({ rank }) => rank).sort((a, b) => a - b);
  if (sorted.length === gpus.length) for (const [at, gpu] of gpus.entries()) rankOf.set(gpu, sorted[at] ?? 0); // in the order of local ranks
  for (const { gpu, pid } of seen) {
    const rank = byPid.get(pid);
    if (rank !== undefined) rankOf.set(gpu, rank);
  }
  const { dirs = null, dir = null, scratch = null } = state.hosts[host] ?? {};
  const writes = [dirs?.state, dir, scratch, ...Object.values(state.spec.paths)].filter((path) => path != null);
  return { gpus, rankOf, ranks: sorted, writes };
}

function besideOthers(times: ReadonlyMap<number, number>): AboutRun["busy"] {
  const sorted = [...times].sort(([, a], [, b]) => a - b);
  if (sorted.length < 2) return new Map();
  const without = (own: number, at: number): number => sorted[at < own ? at : at + 1]?.[1] ?? 0;
  const last = sorted.length - 2;
  return new Map(sorted.map(([rank, ms], own) => [rank, { ms, medianMs: (without(own, Math.floor(last / 2)) + without(own, Math.ceil(last / 2))) / 2 }]));
}

function clocksOf(hosts: AboutRun["hosts"], samples: ReadonlyMap<string, Sample>): AboutRun["clocks"] {
  const byName = new Map<string, number[]>();
  for (const [host, { gpus }] of hosts) {
    for (const uuid of gpus) {
      const { name, smMHz } = samples.get(host)?.gpus[uuid] ?? {};
      if (name !== undefined && smMHz !== undefined) byName.set(name, [...(byName.get(name) ?? []), smMHz]);
    }
  }
  return new Map([...byName].map(([name, clocks]) => [name, { median: median(clocks), count: clocks.length }]));
}
