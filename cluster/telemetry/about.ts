/** What of a run its telemetry is read by. */

import { membersOf, type RunState } from "../run/state.ts";
import type { Pace } from "../steps/pace.ts";
import { median } from "../steps/pace.ts";
import type { Sample } from "./sample.ts";

export type AboutHost = {
  readonly run: string;
  readonly host: string;
  /** UUIDs of the run's GPUs there. */
  readonly gpus: readonly string[];
  readonly rankOf: ReadonlyMap<string, number>;
  readonly ranks: readonly number[];
  /** How long the run has been running, by the controller's clock. */
  readonly runningMs: number;
  /** Since the training last moved; null: it tells no steps. */
  readonly stillMs: number | null;
  /** Until its last step; null: not known. */
  readonly leftMs: number | null;
  /** The clock of the same kind of GPU in the whole run: name → median MHz and of how many. */
  readonly clocks: ReadonlyMap<string, { readonly median: number; readonly count: number }>;
  /** What a rank works in a step beside the median of all; only of ranks that tell it. */
  readonly busy: ReadonlyMap<number, { readonly ms: number; readonly medianMs: number }>;
};

export type AboutRun = {
  readonly state: RunState;
  readonly pace: Pace | null;
  readonly busyMs: ReadonlyMap<number, number>;
  /** The latest sample of each host. */
  readonly samples: ReadonlyMap<string, Sample>;
  readonly now: number;
};

/** null: nothing of the run is alive there, and nothing is judged. */
export function aboutHost({ state, pace, busyMs, samples, now }: AboutRun, host: string): AboutHost | null {
  const sample = samples.get(host);
  if (state.phase !== "running" || state.runningAt === null || sample === undefined || !state.members.includes(host)) return null;
  const all = new Map(membersOf(state).map(({ name }) => [name, gpusOf(state, name, samples.get(name))]));
  const own = all.get(host) ?? { gpus: [], rankOf: new Map<string, number>(), ranks: [] };
  const medianMs = busyMs.size < 2 ? 0 : median([...busyMs.values()]);
  return {
    run: state.spec.run,
    host,
    ...own,
    runningMs: now - Math.max(state.runningAt, state.awakeSince),
    stillMs: pace === null || pace.step === null ? null : Math.max(0, now - pace.at),
    leftMs: pace === null || pace.isInEpoch ? null : pace.leftMs,
    clocks: clocksOf(all, samples),
    busy: new Map(medianMs === 0 ? [] : [...busyMs].map(([rank, ms]) => [rank, { ms, medianMs }])),
  };
}

type OnHost = Pick<AboutHost, "gpus" | "rankOf" | "ranks">;

/** Those that it claimed there, or that its ranks are seen on; each with its rank. */
function gpusOf(state: RunState, host: string, sample: Sample | undefined): OnHost {
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
  return { gpus, rankOf, ranks: sorted };
}

function clocksOf(all: ReadonlyMap<string, OnHost>, samples: ReadonlyMap<string, Sample>): AboutHost["clocks"] {
  const byName = new Map<string, number[]>();
  for (const [host, { gpus }] of all) {
    for (const uuid of gpus) {
      const { name, smMHz } = samples.get(host)?.gpus[uuid] ?? {};
      if (name !== undefined && smMHz !== undefined) byName.set(name, [...(byName.get(name) ?? []), smMHz]);
    }
  }
  return new Map([...byName].map(([name, clocks]) => [name, { median: median(clocks), count: clocks.length }]));
}
