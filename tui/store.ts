/** Holds what a viewer knows, outside React, and publishes a snapshot of it: at most ten times a second, however much comes, and once a second when nothing does. */

import type { Pace } from "../cluster/steps/pace.ts";
import type { Point } from "../cluster/telemetry/sample.ts";
import type { Item, RunSummary, SamplesAnswer } from "../cluster/viewer.ts";
import type { Link, Model } from "./model.ts";
import { createRunFold, type RunFold } from "./run-fold.ts";
import type { ReplayControl } from "./source.ts";

export type Store = {
  readonly snapshot: () => Model;
  readonly subscribe: (listener: () => void) => () => void;
  /** Another run from here on; null: none. */
  readonly begin: (run: string | null) => void;
  readonly fold: () => RunFold | null;
  readonly take: (item: Item) => void;
  readonly hearSamples: (answer: SamplesAnswer, points: Iterable<readonly [string, Point]>) => void;
  readonly hearPace: (pace: Pace | null) => void;
  readonly hearRuns: (runs: readonly RunSummary[]) => void;
  readonly setLink: (link: Link) => void;
  /** Something else that screens draw has changed. */
  readonly touch: () => void;
  readonly now: () => number;
  readonly close: () => void;
};

export type StoreOptions = {
  readonly isReadonly: boolean;
  /** This machine's; the controller's is kept by its difference to it. */
  readonly clock: () => number;
  /** A recording has its own time and says where it is. */
  readonly replay: ReplayControl | null;
};

const FLUSH_MS = 100;
const TICK_MS = 1000;

export function createStore({ isReadonly, clock, replay }: StoreOptions): Store {
  const listeners = new Set<() => void>();
  let fold: RunFold | null = null;
  let runs: readonly RunSummary[] = [];
  let link: Link = { state: "ok" };
  let aheadMs = 0;
  let due: NodeJS.Timeout | null = null;

  const now = (): number => replay?.position() ?? clock() + aheadMs;
  const make = (): Model => ({
    now: now(),
    link: replay === null ? link : { state: "replay", speed: replay.speed(), from: replay.from, to: replay.to },
    isReadonly,
    run: fold?.model() ?? null,
    runs,
  });
  let model = make();

  const publish = (): void => {
    due = null;
    model = make();
    for (const listener of listeners) listener();
  };
  const change = (): void => {
    due ??= setTimeout(publish, FLUSH_MS);
  };
  const tick = setInterval(change, TICK_MS);

  return {
    snapshot: () => model,
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    begin: (run) => {
      fold = run === null ? null : createRunFold(run);
      change();
    },
    fold: () => fold,
    take: (item) => {
      fold?.take(item, now());
      change();
    },
    hearSamples: (answer, points) => {
      aheadMs = answer.now - clock();
      fold?.samples(answer, points);
      change();
    },
    hearPace: (pace) => {
      fold?.hearPace(pace);
      change();
    },
    hearRuns: (told) => {
      runs = told;
      change();
    },
    setLink: (next) => {
      link = next;
      change();
    },
    touch: change,
    now,
    close: () => {
      clearInterval(tick);
      if (due !== null) clearTimeout(due);
      listeners.clear();
    },
  };
}
