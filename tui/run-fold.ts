/** Folds what a source tells of one run into what screens draw from. Outside React; time comes in as an argument. */

import { isWanted, type Notice, noticeOf } from "../cluster/notify/notice.ts";
import { isFirst, reduce, start } from "../cluster/run/reduce.ts";
import type { RunState } from "../cluster/run/state.ts";
import { type Pace, type PaceWatch, watchPace } from "../cluster/steps/pace.ts";
import { readLine } from "../cluster/steps/read-line.ts";
import type { Point } from "../cluster/telemetry/sample.ts";
import type { RunTotals } from "../cluster/telemetry/totals.ts";
import { withoutHost } from "../cluster/view/about-host.ts";
import { describeEvent } from "../cluster/view/event-line.ts";
import type { HostReading } from "../cluster/view/host-telemetry.ts";
import { afterLastReturn } from "../cluster/view/lines.ts";
import { readingsOf } from "../cluster/view/readings.ts";
import type { Item, LogLine, SamplesAnswer } from "../cluster/viewer.ts";
import { createLogBook } from "./log-book.ts";
import type { RunModel, Told } from "./model.ts";

export type RunFold = {
  /** `now`: the controller's clock, ms since epoch. */
  readonly take: (item: Item, now: number) => void;
  readonly samples: (answer: SamplesAnswer, points: Iterable<readonly [string, Point]>) => void;
  /** How the controller says that the training gets on: it also reads progress bars that end no line. */
  readonly hearPace: (pace: Pace | null) => void;
  /** Index of the first event not seen yet. */
  readonly next: () => number;
  readonly state: () => RunState | null;
  /** The last turn that the file wants terminals to ring for. */
  readonly notice: () => Notice | null;
  /** null: nothing is known yet. */
  readonly model: () => RunModel | null;
};

const HISTORY_MS = 10 * 60_000;
/** Points of progress that sparklines are drawn from, and the least time between two. */
const TRAIL = 240;
const TRAIL_MS = 900;

export function createRunFold(run: string): RunFold {
  let state: RunState | null = null;
  let next = 0;
  let notice: Notice | null = null;
  let readings: readonly HostReading[] = [];
  let totals: RunTotals | null = null;
  let watch: PaceWatch = watchPace();
  let pattern: RegExp | null = null;
  let heard: Pace | null = null;
  const events: Told[] = [];
  const history = new Map<string, Point[]>();
  const trail: Pace[] = [];
  const doing = new Map<string, string>();
  const log = createLogBook();

  const onEvent = (item: Item & { readonly kind: "event" }): void => {
    const { index, event } = item;
    if (index < next) return; // told twice after a reconnect
    next = index + 1;
    const before = state;
    if (before === null && !isFirst(event)) return;
    state = before === null ? (isFirst(event) ? start(event) : null) : reduce(before, event);
    if (state === null) return;
    if (before === null && state.spec.stepPattern !== undefined) pattern = new RegExp(state.spec.stepPattern);
    if (event.type === "attempt-begun") {
      watch = watchPace();
      heard = null;
      trail.length = 0;
    }
    if (event.type === "host-connected" || event.type === "host-prepared") doing.delete(event.host);
    if (before !== null && state.spec.notify?.isBell === true) {
      const told = noticeOf(before, state, event);
      if (told !== null && isWanted(state.spec.notify.on, told)) notice = told;
    }
    events.push({ index, event, lines: describeEvent(before, state, event) });
  };

  const onLine = (line: LogLine): void => {
    log.push(line);
    if (line.rank === null || line.gap !== undefined || line.stream === "nccl" || (state !== null && state.attempt > 0 && line.attempt !== state.attempt))
      return;
    const { said } = readLine(afterLastReturn(line.text), pattern);
    if (said === null) return;
    watch.say(line.rank, said, line.at);
    remember(watch.pace());
  };

  const remember = (pace: Pace | null): void => {
    const last = trail.at(-1);
    if (pace === null || (last !== undefined && (pace.at - last.at < TRAIL_MS || (pace.step !== null && pace.step === last.step)))) return;
    trail.push(pace);
    if (trail.length > TRAIL) trail.shift();
  };

  const present = (): Pace | null => {
    const own = watch.pace();
    return heard !== null && (own === null || heard.at > own.at) ? heard : own;
  };

  return {
    take: (item) => {
      if (item.kind === "event") onEvent(item);
      else if (item.kind === "line") onLine(item.line);
      else if (item.kind === "notice" && item.host !== null) doing.set(item.host, withoutHost(item.host, item.text));
    },
    samples: (answer, points) => {
      for (const [host, point] of points) {
        const own = history.get(host) ?? [];
        history.set(host, own);
        if (point.at > (own.at(-1)?.at ?? 0)) own.push(point);
        // Cut seldom: a list of ten minutes is not moved for each point.
        if (own.length > 64 && point.at - (own[63]?.at ?? point.at) > HISTORY_MS) own.splice(0, 64);
      }
      readings = readingsOf(answer, history);
      totals = answer.totals;
    },
    hearPace: (pace) => {
      heard = pace;
      remember(pace);
    },
    next: () => next,
    state: () => state,
    notice: () => notice,
    model: () =>
      state === null
        ? null
        : {
            id: run,
            state,
            events,
            readings,
            history,
            totals,
            pace: present(),
            trail,
            stepMs: watch.stepMs(),
            busyMs: watch.busyMs(),
            doing,
            log,
          },
  };
}
