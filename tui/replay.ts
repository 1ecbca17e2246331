/** A recording as a source: it answers what a controller would have answered at the time that it is at. It only tells; nothing of it acts. */

import { fail } from "../cluster/errors.ts";
import { makeLinesAt } from "../cluster/recording/lines-at.ts";
import { pageOf } from "../cluster/recording/page-of.ts";
import type { Recording } from "../cluster/recording/recording.ts";
import { makeSamplesAt } from "../cluster/recording/samples-at.ts";
import { makeTimeline } from "../cluster/recording/timeline.ts";
import { summarise } from "../cluster/view/summarise.ts";
import type { Item, LogLine, LogQuery } from "../cluster/viewer.ts";
import { createReplayClock } from "./replay-clock.ts";
import type { Ask, ReplayControl, Source } from "./source.ts";

export type Replay = Source & { readonly replay: ReplayControl };

export function createReplay(recording: Recording, speed: number, now: () => number = () => performance.now()): Replay {
  const timeline = makeTimeline(recording);
  const samples = makeSamplesAt(recording, timeline);
  const lines = makeLinesAt(recording, timeline);
  const clock = createReplayClock(timeline.from, timeline.to, speed, now);
  const closed = new AbortController();
  const { run } = recording.head;

  const must = (wanted: string): void => {
    if (wanted !== run) throw fail("NO_RUN", { run: wanted });
  };

  const answer = (request: Ask): unknown => {
    const at = clock.position();
    const state = timeline.stateAt(at);
    switch (request.ask) {
      case "ping":
        return null;
      case "runs":
        return [summarise(state)];
      case "run": {
        must(request.run);
        const begun = recording.events.slice(0, timeline.eventsBy(at)).findLast((event) => event.type === "attempt-begun");
        const wroteAt = recording.lines[timeline.linesBy(at) - 1]?.at ?? null;
        const pace = state.verdict === null ? lines.paceAt(at).pace() : null;
        const notes = begun?.type === "attempt-begun" ? (begun.notes ?? []) : [];
        return { state, events: timeline.eventsBy(at), dir: "", wroteAt, pace, notes };
      }
      default:
        throw fail("REPLAY_ONLY", { ask: request.ask });
    }
  };

  type Place = { readonly event: number; readonly line: number; readonly rewinds: number };
  const placeAt = (at: number, event: number): Place => ({ event, line: timeline.linesBy(at), rewinds: clock.rewinds() });

  /** Events and lines that come after a place. Ends when it is not wanted any more. Errors: REPLAY_MOVED. */
  async function* follow(place: Place, isLine: ((line: LogLine) => boolean) | null, cancelled: AbortSignal): AsyncGenerator<Item, null, void> {
    let { event, line } = place;
    for (;;) {
      const nextEvent = event < recording.events.length ? timeline.eventAt(event) : Number.POSITIVE_INFINITY;
      const nextLine = isLine === null ? Number.POSITIVE_INFINITY : (recording.lines[line]?.at ?? Number.POSITIVE_INFINITY);
      if (clock.rewinds() === place.rewinds) await clock.until(Math.min(nextEvent, nextLine), cancelled);
      if (cancelled.aborted) return null;
      if (clock.rewinds() !== place.rewinds) throw fail("REPLAY_MOVED");
      const told = nextEvent <= nextLine ? recording.events[event] : undefined;
      const said = recording.lines[line];
      if (told !== undefined) yield { kind: "event", index: event++, event: told };
      else if (said !== undefined) {
        line += 1;
        if (isLine?.(said)) yield { kind: "line", line: said };
      }
    }
  }

  async function* watch(request: Ask & { ask: "watch" }, cancelled: AbortSignal): AsyncGenerator<Item, unknown, void> {
    const want: LogQuery = {
      ...{ hosts: null, ranks: null, streams: ["out", "err", "launcher"], attempt: null, since: null },
      last: request.last ?? 0,
      follow: true,
    };
    const at = clock.position();
    const place = placeAt(at, Math.max(request.from, timeline.eventsBy(at)));
    for (const [index, event] of recording.events.entries()) if (index >= request.from && index < place.event) yield { kind: "event", index, event };
    if (request.logs) for (const line of lines.stored(want, at)) yield { kind: "line", line };
    return yield* follow(place, request.logs ? (line) => lines.isWanted(line, want, 0) : null, cancelled);
  }

  async function* tellLines(want: LogQuery, cancelled: AbortSignal): AsyncGenerator<Item, unknown, void> {
    const at = clock.position();
    const latest = timeline.stateAt(at).attempt;
    const place = placeAt(at, recording.events.length);
    if (want.page !== undefined) return pageOf(lines.stored({ ...want, since: null, last: null, follow: false }, at), want.page);
    for (const line of lines.stored(want, at)) yield { kind: "line", line };
    if (!want.follow) return null;
    yield { kind: "caught-up" };
    return yield* follow(place, (line) => lines.isWanted(line, want, latest), cancelled);
  }

  async function* stream(request: Ask, unwanted?: AbortSignal): AsyncGenerator<Item, unknown, void> {
    const cancelled = unwanted === undefined ? closed.signal : AbortSignal.any([unwanted, closed.signal]);
    switch (request.ask) {
      case "watch":
        must(request.run);
        return yield* watch(request, cancelled);
      case "logs":
        must(request.run);
        return yield* tellLines(request.want, cancelled);
      case "samples": {
        must(request.run);
        const at = clock.position();
        if (request.since !== null) for (const { host, point } of samples.between(request.since, at)) yield { kind: "sample", host, point };
        return samples.answer(at);
      }
      default:
        return answer(request);
    }
  }

  return {
    stream,
    ask: async (request) => {
      const items = stream(request);
      for (;;) {
        const { done, value } = await items.next();
        if (done === true) return value;
      }
    },
    close: () => closed.abort(),
    replay: {
      from: timeline.from,
      to: timeline.to,
      crashAt: timeline.crashAt,
      position: clock.position,
      speed: clock.speed,
      setSpeed: clock.setSpeed,
      seek: clock.seek,
    },
  };
}
