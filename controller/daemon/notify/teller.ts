/** Tells those whom the file names of a run's turns: each of each turn once, tried again until it is done, also after the death of the controller. */

import { setTimeout as delay } from "node:timers/promises";
import { isWanted, type Notice, noticeBody, noticeOf, noticesOf } from "../../../cluster/notify/notice.ts";
import { pauseMs, RETRY, type RetryLimits } from "../../../cluster/notify/retry.ts";
import type { RunEvent } from "../../../cluster/run/events.ts";
import type { RunState } from "../../../cluster/run/state.ts";
import type { Deliver } from "./deliver.ts";
import { openMarks } from "./marks.ts";

/** `name` is also what it is known by on disk. */
export type Target = { readonly name: string; readonly deliver: Deliver };

export type TellerDeps = {
  /** Of the run. */
  readonly dir: string;
  readonly targets: readonly Target[];
  /** What the journal holds already, and the state that it folds to. */
  readonly events: readonly RunEvent[];
  readonly state: RunState;
  readonly conceal: (text: string) => string;
  readonly say: (text: string) => void;
  /** The run is over and everybody knows, or was given up. */
  readonly done: () => void;
  readonly limits?: RetryLimits;
};

export type Teller = {
  /** One more event, and the state after it. */
  readonly line: (event: RunEvent, after: RunState) => void;
  /** No more lines come. */
  readonly finish: () => void;
  readonly isBusy: () => boolean;
  readonly close: () => void;
};

export function openTeller({ dir, targets, events, state, conceal, say, done, limits = RETRY }: TellerDeps): Teller {
  const { spec } = state;
  const marks = openMarks(dir);
  const closed = new AbortController();
  let before = state;
  let isFinished = false;
  let isDone = false;

  const queues = targets.map((target) => ({ target, waiting: [] as Notice[], isBusy: false }));
  type Queue = (typeof queues)[number];

  const mark = (id: string, target: string, why: string | null): void => {
    try {
      marks.add(id, target, why);
    } catch (error) {
      say(`who was told of what cannot be written: ${error instanceof Error ? error.message : String(error)}`);
    }
  };

  const tell = async ({ deliver, name }: Target, notice: Notice): Promise<void> => {
    const body = JSON.stringify(noticeBody(spec, { ...notice, text: conceal(notice.text) }));
    for (let tries = 1; !closed.signal.aborted; tries += 1) {
      const outcome = await deliver(body, closed.signal);
      if (closed.signal.aborted) return;
      if (outcome.ok) return mark(notice.id, name, null);
      const pause = outcome.isFinal ? null : pauseMs(tries, Date.now() - notice.at, limits);
      if (tries === 1 || pause === null)
        say(`${name} of notify could not be told (${notice.kind}): ${outcome.why}; ${pause === null ? "given up" : "tried again"}`);
      if (pause === null) return mark(notice.id, name, outcome.why);
      await delay(pause, undefined, { signal: closed.signal }).catch(() => undefined);
    }
  };

  const settle = (): void => {
    if (!isFinished || isDone || queues.some(({ isBusy }) => isBusy)) return;
    isDone = true;
    done();
  };

  /** One after the other, so that they come in order. */
  const work = async (queue: Queue): Promise<void> => {
    if (queue.isBusy) return;
    queue.isBusy = true;
    for (let next = queue.waiting.shift(); next !== undefined; next = queue.waiting.shift()) await tell(queue.target, next);
    queue.isBusy = false;
    if (!closed.signal.aborted) settle();
  };

  const take = (notice: Notice): void => {
    if (spec.notify === undefined || !isWanted(spec.notify.on, notice)) return;
    for (const queue of queues) {
      if (marks.has(notice.id, queue.target.name)) continue;
      queue.waiting.push(notice);
      void work(queue);
    }
  };

  const now = Date.now();
  for (const notice of noticesOf(events)) if (now - notice.at < limits.giveUpMs) take(notice);
  return {
    line: (event, after) => {
      const notice = noticeOf(before, after, event);
      before = after;
      if (notice !== null) take(notice);
    },
    finish: () => {
      isFinished = true;
      settle();
    },
    isBusy: () => queues.some(({ isBusy }) => isBusy),
    close: () => closed.abort(),
  };
}
