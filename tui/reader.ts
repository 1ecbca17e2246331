/** Brings what a source has into the store: the run's events and lines as they come, samples and the list of runs by asking. A controller that is gone is looked for again. */

import { NexaError } from "../cluster/errors.ts";
import { isOver } from "../cluster/run/state.ts";
import type { Pace } from "../cluster/steps/pace.ts";
import type { Point } from "../cluster/telemetry/sample.ts";
import type { LogQuery, RunSummary, SamplesAnswer } from "../cluster/viewer.ts";
import type { Source } from "./source.ts";
import type { Store } from "./store.ts";

export type ReaderOptions = {
  readonly source: Source;
  /** Another source in place of one that is gone. */
  readonly find: () => Promise<Source>;
  readonly store: Store;
  readonly say: (text: string, isBad: boolean) => void;
  /** What answers now cannot be read by this build: nothing comes any more. */
  readonly replaced: (error: Error) => void;
};

export type Reader = {
  readonly ask: Source["ask"];
  readonly stream: Source["stream"];
  readonly watch: (run: string | null) => void;
  /** What was asked for has come: draw it. */
  readonly touch: () => void;
  /** Nothing is read any more; what is returned is still open. */
  readonly leave: () => Source;
};

const SAMPLES_MS = 1000;
const RUNS_MS = 3000;
/** With a thousand hosts the answers are long: they are asked for less often. */
const HOSTS_A_SECOND = 250;
const HISTORY_MS = 10 * 60_000;
const RECENT_MS = 10_000;
/** A pace of our own that is so old may come from lines that are not told as lines. */
const PACE_MS = 3000;
/** Lines of before that give the newcomer a picture. */
const BEFORE = 2000;
const AGAIN_MS = [500, 1000, 2000, 5000] as const;

export function startReader({ source: first, find, store, say, replaced }: ReaderOptions): Reader {
  let source = first;
  let isClosed = false;
  let present = new AbortController();
  let finding: Promise<void> | null = null;
  const pauses = new Set<() => void>();

  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        pauses.delete(done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      pauses.add(done);
    });

  /** All that ask wait for the same one. */
  const findAgain = (why: string): Promise<void> => {
    finding ??= (async () => {
      const since = store.now();
      source.close();
      for (let k = 0; !isClosed; k += 1) {
        store.setLink({ state: "lost", since, why });
        try {
          const found = await find();
          if (isClosed) return found.close();
          source = found;
          store.setLink({ state: "ok" });
          const seconds = Math.ceil((store.now() - since) / 1000) + 2;
          say(`the controller answers again; log lines of the last ${seconds} s may be missing here`, false);
          return;
        } catch (error) {
          if (error instanceof NexaError && error.code === "CONTROLLER_REPLACED") {
            isClosed = true;
            present.abort();
            return replaced(error);
          }
          say(`the controller is gone, training is not: ${error instanceof Error ? error.message : String(error)}`, true);
          await pause(AGAIN_MS[Math.min(k, AGAIN_MS.length - 1)] ?? 0);
        }
      }
    })().finally(() => {
      finding = null;
    });
    return finding;
  };

  const isLost = (error: unknown): boolean => error instanceof NexaError && error.code === "CONTROLLER_LOST";
  /** A recording was moved back: all is told anew. */
  const isMoved = (error: unknown): boolean => error instanceof NexaError && error.code === "REPLAY_MOVED";
  const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

  const watchRun = async (run: string, cancelled: AbortSignal): Promise<void> => {
    let last: number | null = BEFORE;
    while (!cancelled.aborted) {
      try {
        const request = { ask: "watch", run, from: store.fold()?.next() ?? 0, logs: true, ...(last === null ? {} : { last }) } as const;
        for await (const item of source.stream(request, cancelled)) {
          if (cancelled.aborted) return;
          if (item.kind === "notice" && item.host === null) say(item.text, false);
          else store.take(item);
        }
        if (!cancelled.aborted) await readStored(run, cancelled);
        return;
      } catch (error) {
        if (cancelled.aborted) return;
        if (isMoved(error)) return watch(run);
        if (!isLost(error)) {
          store.setLink({ state: "lost", since: store.now(), why: wordsOf(error) });
          return say(wordsOf(error), true);
        }
        await findAgain(wordsOf(error));
        last = null;
      }
    }
  };

  /** A run that was over before is not told with its lines. */
  const readStored = async (run: string, cancelled: AbortSignal): Promise<void> => {
    if ((store.fold()?.model()?.log.tail(1).length ?? 0) > 0) return;
    const want: LogQuery = { hosts: null, ranks: null, streams: ["out", "err", "launcher"], attempt: null, since: null, last: BEFORE, follow: false };
    for await (const item of source.stream({ ask: "logs", run, want }, cancelled)) if (item.kind === "line") store.take(item);
  };

  const readSamples = async (run: string, since: number, cancelled: AbortSignal): Promise<void> => {
    const points: [string, Point][] = [];
    const items = source.stream({ ask: "samples", run, since }, cancelled);
    for (;;) {
      const { done, value } = await items.next();
      if (done === true) return cancelled.aborted ? undefined : store.hearSamples(value as SamplesAnswer, points);
      if (value.kind === "sample") points.push([value.host, value.point]);
    }
  };

  const readPace = async (run: string, cancelled: AbortSignal): Promise<void> => {
    const own = store.fold()?.model()?.pace ?? null;
    if (own !== null && store.now() - own.at < PACE_MS) return;
    const { pace } = (await source.ask({ ask: "run", run })) as { readonly pace: Pace | null };
    if (!cancelled.aborted) store.hearPace(pace);
  };

  const poll = async (run: string, cancelled: AbortSignal): Promise<void> => {
    let since = store.now() - HISTORY_MS;
    while (!cancelled.aborted) {
      const state = store.fold()?.state() ?? null;
      try {
        await readSamples(run, since, cancelled);
        since = store.now() - RECENT_MS;
        if (state?.phase === "running") await readPace(run, cancelled);
      } catch {
        // The stream of events says what is wrong.
      }
      if (state !== null && isOver(state) && source.replay === undefined) return; // a recording may be moved back
      await pause(Math.max(SAMPLES_MS, ((state?.spec.hosts.length ?? 0) / HOSTS_A_SECOND) * 1000));
    }
  };

  const pollRuns = async (): Promise<void> => {
    while (!isClosed) {
      try {
        store.hearRuns((await source.ask({ ask: "runs", all: true })) as readonly RunSummary[]);
      } catch (error) {
        if (!isClosed && isLost(error)) await findAgain(wordsOf(error));
      }
      await pause(RUNS_MS);
    }
  };

  const watch = (run: string | null): void => {
    present.abort();
    present = new AbortController();
    store.begin(run);
    if (run === null) return;
    void watchRun(run, present.signal);
    void poll(run, present.signal);
  };

  void pollRuns();
  return {
    ask: (request) => source.ask(request),
    stream: (request, cancelled) => source.stream(request, cancelled),
    touch: store.touch,
    watch,
    leave: () => {
      isClosed = true;
      present.abort();
      for (const done of [...pauses]) done();
      return source;
    },
  };
}
