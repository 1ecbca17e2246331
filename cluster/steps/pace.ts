/** How a run's training gets on, from what its ranks write. Pure; time is an argument. Lines of one rank's stdout and stderr belong together. */

import type { Rate, Said, Source } from "./said.ts";

export type Pace = {
  readonly rank: number;
  /** null: the trainer prints a loss, and no step. */
  readonly step: number | null;
  /** `step` and `total` count within this epoch when `isInEpoch`. */
  readonly total: number | null;
  readonly isInEpoch: boolean;
  readonly epoch: number | null;
  /** null also when it is not a number. */
  readonly loss: number | null;
  readonly isLossFinite: boolean;
  readonly stepMs: number | null;
  readonly rate: Rate | null;
  /** Until the last step, of the epoch when `isInEpoch`. */
  readonly leftMs: number | null;
  /** When it last moved, ms since epoch. */
  readonly at: number;
};

export type PaceWatch = {
  readonly say: (rank: number, said: Said, at: number) => void;
  /** null: no rank has said anything yet. */
  readonly pace: () => Pace | null;
  /** What each rank itself works in a step, ms: only known of ranks that tell it. */
  readonly busyMs: () => ReadonlyMap<number, number>;
  /** The time of a step of each rank that has told enough of them. Ranks that wait for each other have the same. */
  readonly stepMs: () => ReadonlyMap<number, number>;
};

type Mark = { readonly step: number; readonly at: number };
type Series = { source: Source; last: Said; advances: number; tick: number; at: number; marks: Mark[]; saidMs: number[] };
type Rank = {
  readonly series: Map<string, Series>;
  readonly busy: number[];
  tick: number;
  at: number;
  loss: number | null;
  rate: Rate | null;
  epoch: number | null;
};

const ORDER: readonly Source[] = ["call", "pattern", "keys", "bar", "inner", "epochs"];
/** Marks and step times that a pace is made of. */
const KEPT = 16;
const BUSY_KEPT = 32;
/** Series of one rank; the longest silent goes. */
const SERIES = 32;
/** Steps of another series after which one that stood still has ended. */
const STALE = 50;
/** Marks nearer together say nothing: what was buffered arrives at once. */
const LEAST_MS = 500;

export function watchPace(): PaceWatch {
  const ranks = new Map<number, Rank>();

  const say = (number: number, said: Said, at: number): void => {
    const rank = ranks.get(number) ?? { series: new Map(), busy: [], tick: 0, at, loss: null, rate: null, epoch: null };
    ranks.set(number, rank);
    rank.at = at;
    rank.loss = said.loss ?? rank.loss;
    if (said.rate?.of !== "samples" || rank.rate?.of !== "tokens") rank.rate = said.rate ?? rank.rate;
    rank.epoch = said.epoch ?? rank.epoch;
    if (said.busyMs !== null && said.busyMs > 0) push(rank.busy, said.busyMs, BUSY_KEPT);
    if (said.step !== null) advance(rank, said, said.step, at);
  };

  return {
    say,
    pace: () => {
      const told = [...ranks].map(([rank, it]) => ({ rank, it, best: bestOf(it) }));
      const [first] = told.sort((a, b) => standing(a.best) - standing(b.best) || a.rank - b.rank);
      return first === undefined ? null : paceOf(first.rank, first.it, first.best);
    },
    stepMs: () =>
      new Map(
        [...ranks].flatMap(([rank, it]) => {
          const best = bestOf(it);
          const ms = best === null || best.advances < KEPT || best.source === "inner" ? null : paceOf(rank, it, best).stepMs;
          return ms === null ? [] : [[rank, ms] as const];
        }),
      ),
    busyMs: () => new Map([...ranks].filter(([, { busy }]) => busy.length > 0).map(([rank, { busy }]) => [rank, median(busy)])),
  };
}

function advance(rank: Rank, said: Said, step: number, at: number): void {
  const known = rank.series.get(said.series);
  const series = known ?? { source: said.source, last: said, advances: 0, tick: rank.tick, at, marks: [], saidMs: [] };
  const before = series.last.step ?? step;
  if (step < before) series.marks = []; // a new epoch, or begun anew
  if (known === undefined || step !== before) {
    series.advances += known === undefined ? 0 : 1;
    series.at = at;
    push(series.marks, { step, at }, KEPT);
    if (said.stepMs !== null) push(series.saidMs, said.stepMs, KEPT);
    if (said.source !== "inner" && said.source !== "epochs") rank.tick += 1; // an evaluation's bar makes no other one old
    series.tick = rank.tick;
  }
  series.last = said;
  rank.series.delete(said.series);
  rank.series.set(said.series, series);
  const [oldest] = rank.series.keys();
  if (rank.series.size > SERIES && oldest !== undefined) rank.series.delete(oldest);
}

/** The series that counts the training's steps best; null: none counts anything. */
function bestOf(rank: Rank): Series | null {
  const live = [...rank.series.values()].filter(({ tick }) => rank.tick - tick <= STALE);
  return live.sort((a, b) => standing(a) - standing(b) || b.advances - a.advances)[0] ?? null;
}

/** Smaller is better. One that has not moved twice may be anything. */
const standing = (series: Series | null): number => (series === null ? 99 : ORDER.indexOf(series.source) + (series.advances >= 2 ? 0 : 20));

function paceOf(number: number, rank: Rank, best: Series | null): Pace {
  const { step = null, total = null, epoch = null } = best?.last ?? {};
  const isInEpoch = epoch !== null && (best?.source === "bar" || best?.source === "inner" || (best?.source === "keys" && total !== null));
  const stepMs = best === null ? null : best.saidMs.length > 0 ? median(best.saidMs) : measured(best.marks);
  const counts = best !== null && best.source !== "epochs";
  return {
    rank: number,
    step: counts ? step : null,
    total: counts ? total : null,
    isInEpoch,
    epoch: epoch ?? (best?.source === "epochs" ? step : rank.epoch),
    loss: rank.loss !== null && Number.isFinite(rank.loss) ? rank.loss : null,
    isLossFinite: rank.loss === null || Number.isFinite(rank.loss),
    stepMs: counts ? stepMs : null,
    rate: rank.rate,
    leftMs: !counts || step === null || total === null || stepMs === null || total < step ? null : (total - step) * stepMs,
    at: best?.at ?? rank.at,
  };
}

function measured(marks: readonly Mark[]): number | null {
  const [first, last] = [marks[0], marks.at(-1)];
  if (first === undefined || last === undefined || last.step <= first.step || last.at - first.at < LEAST_MS) return null;
  return (last.at - first.at) / (last.step - first.step);
}

function push<T>(list: T[], value: T, most: number): void {
  list.push(value);
  if (list.length > most) list.shift();
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}
