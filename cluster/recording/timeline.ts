/** Where a recording is at a time: how much of each list has happened by then, and the state of the run. */

import type { RunEvent } from "../run/events.ts";
import { isFirst, reduce, start } from "../run/reduce.ts";
import type { RunState } from "../run/state.ts";
import type { Recording } from "./recording.ts";

export type Timeline = {
  readonly from: number;
  readonly to: number;
  /** When the first thing went wrong; null: nothing did. */
  readonly crashAt: number | null;
  /** Events, lines and points that have happened by then. */
  readonly eventsBy: (at: number) => number;
  readonly linesBy: (at: number) => number;
  readonly pointsBy: (at: number) => number;
  /** When event number `index` happened, never before the one in front of it. */
  readonly eventAt: (index: number) => number;
  /** At or after the beginning. */
  readonly stateAt: (at: number) => RunState;
};

/** A state is kept of so many events; going back begins at the one before. */
const KEPT_EVERY = 100;

export function makeTimeline({ events, lines, points }: Recording): Timeline {
  const times: number[] = [];
  for (const { at } of events) times.push(Math.max(at, times.at(-1) ?? at));
  const from = times[0] ?? 0;
  const to = Math.max(from, times.at(-1) ?? from, lines.at(-1)?.at ?? from, points.at(-1)?.heardAt ?? from);
  const kept: RunState[] = [];
  let crashAt: number | null = null;
  let state = startOf(events);
  for (const [k, event] of events.entries()) {
    if (k > 0) state = reduce(state, event);
    if (k % KEPT_EVERY === 0) kept.push(state);
    if (crashAt === null && (state.trouble ?? state.failure) !== null && state.stop === null) crashAt = times[k] ?? null;
  }
  let last = { count: 1, state: startOf(events) };
  const stateAt = (at: number): RunState => {
    const count = Math.max(1, countBy(times, at));
    if (count === last.count) return last.state;
    const slot = Math.floor((count - 1) / KEPT_EVERY);
    const near = { count: slot * KEPT_EVERY + 1, state: kept[slot] ?? startOf(events) };
    let { count: done, state: now } = last.count < count && last.count > near.count ? last : near;
    for (let event = events[done]; done < count && event !== undefined; event = events[done]) {
      now = reduce(now, event);
      done += 1;
    }
    last = { count, state: now };
    return now;
  };
  const lineTimes = lines.map((line) => line.at);
  const pointTimes = points.map((point) => point.heardAt);
  return {
    from,
    to,
    crashAt,
    eventsBy: (at) => countBy(times, at),
    linesBy: (at) => countBy(lineTimes, at),
    pointsBy: (at) => countBy(pointTimes, at),
    eventAt: (index) => times[index] ?? to,
    stateAt,
  };
}

function startOf(events: readonly RunEvent[]): RunState {
  const [first] = events;
  if (first === undefined || !isFirst(first)) throw new RangeError("a recording begins with the beginning of a run");
  return start(first);
}

/** How many of them, which ascend, are at most `at`. */
function countBy(times: readonly number[], at: number): number {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] ?? 0) <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}
