/** Deadlines under hours of real time, with the controller asleep or dead at any place: time in which nobody could hear or act counts for none. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { RunEvent } from "../../../cluster/run/events.ts";
import { reduce, replay } from "../../../cluster/run/reduce.ts";
import { hostsOf, isOver, type RunState } from "../../../cluster/run/state.ts";
import { type Effect, wanted } from "../../../cluster/run/wanted.ts";
import { goodRun, requested, schedule } from "./model.ts";

const RUNS = { numRuns: Number(process.env.FC_RUNS ?? 2000) };
const HOUR = 3_600_000;
type Timer = Effect & { do: "timer" };
const timers = (state: RunState): Timer[] => wanted(state).filter((effect): effect is Timer => effect.do === "timer");
const started = (at: number): RunEvent => ({ at, type: "controller-started", controller: "c", epoch: 1 });
const woke = (at: number): RunEvent => ({ at, type: "controller-woke", sleptMs: HOUR });
const stop = (at: number): RunEvent => ({ at, type: "stop-requested", by: "me", why: "x", graceMs: 30_000 });
/** The good run up to the first event of this type. */
const before = (type: RunEvent["type"]): RunEvent[] =>
  goodRun().slice(
    0,
    goodRun().findIndex((event) => event.type === type),
  );
const seen = (at: number): RunEvent[] => ["a", "b", "c"].map((host) => ({ at, type: "host-seen", host }));

type Pause = { readonly ms: number; readonly how: "up" | "dead" | "asleep" };
const pauses: fc.Arbitrary<Pause[]> = fc.array(
  fc.record({
    ms: fc.oneof(
      fc.constantFrom(0, 1, 5, 100),
      fc.constantFrom(0, 1, 5, 100),
      fc.integer({ min: 1000, max: 700_000 }),
      fc.integer({ min: HOUR, max: 30 * HOUR }),
    ),
    how: fc.constantFrom("up" as const, "up" as const, "dead" as const, "asleep" as const),
  }),
  { minLength: 60, maxLength: 60 },
);

/** Plays a schedule on a clock: timers come due while the controller is up, and tell so; after a death or a sleep it says that it is back. */
function play(
  events: readonly RunEvent[],
  gaps: readonly Pause[],
  fired: (state: RunState, timer: Timer, now: number, awakeSince: number) => void,
): RunState[] {
  let now = 1000;
  let awakeSince = now;
  let state = replay([{ ...(events[0] as RunEvent), at: now }]);
  const all = [state];
  const fold = (event: RunEvent): void => {
    state = reduce(state, event);
    all.push(state);
  };
  const fire = (until: number): void => {
    for (let next = due(until); next !== undefined; next = due(until)) {
      now = Math.max(now, next.at);
      const was = state;
      fold({ at: now, type: "timer", key: next.timer });
      fired(was, next, now, awakeSince);
      if (wanted(state).some((effect) => effect.key === next?.key)) return; // it stays due: nothing more comes of it
    }
  };
  const due = (until: number): Timer | undefined =>
    timers(state)
      .filter(({ at }) => at <= until)
      .sort((a, b) => a.at - b.at)[0];
  for (const [k, event] of events.slice(1).entries()) {
    const { ms, how } = gaps[k % gaps.length] ?? { ms: 0, how: "up" };
    if (how === "up") fire(now + ms);
    now += ms;
    if (how !== "up") {
      awakeSince = now;
      fold(how === "dead" ? started(now) : woke(now));
    }
    fire(now);
    fold({ ...event, at: now });
    if (event.type === "controller-started") awakeSince = now; // the schedule's own
  }
  return all;
}

test("always: a deadline of ours comes due only after its whole length in which the controller was up", () => {
  const count = new Map<string, number>();
  fc.assert(
    fc.property(schedule, pauses, (events, gaps) => {
      play(events, gaps, (state, { timer }, now, awakeSince) => {
        count.set(timer, (count.get(timer) ?? 0) + 1);
        const { startMs, stopGraceMs, runMs } = state.spec.timeouts;
        const least = { start: startMs, stop: state.stop?.graceMs ?? stopGraceMs, drain: 60_000, forget: 10_000, backoff: 0, run: runMs ?? 0 }[timer];
        if (timer !== "run") assert.ok(now - awakeSince >= least, `${timer} after ${now - awakeSince} ms awake, not ${least}`);
      });
    }),
    { numRuns: RUNS.numRuns * 3 },
  );
  for (const timer of ["start", "stop", "drain"])
    assert.ok((count.get(timer) ?? 0) > 20, `${timer} came due ${count.get(timer)} times: the property looked at nothing`);
});

test("always: whenever a controller is back, no deadline but timeouts.run is due at once", () => {
  fc.assert(
    fc.property(schedule, pauses, (events, gaps) => {
      for (const state of play(events, gaps, () => undefined)) {
        const at = Math.max(state.awakeSince, state.phaseAt) + 30 * HOUR;
        for (const back of [started(at), woke(at)])
          for (const timer of timers(reduce(state, back))) assert.ok(timer.timer === "run" || timer.at > at, `${timer.timer} in ${state.phase}`);
      }
    }),
    { numRuns: 300 },
  );
});

test("always: a death or a sleep in itself changes no phase, verdict, failure, stop or receipt, at any place", () => {
  fc.assert(
    fc.property(schedule, pauses, (events, gaps) => {
      for (const state of play(events, gaps, () => undefined)) {
        const known = ({ phase, verdict, failure, stop: asked, hosts }: RunState) => [
          phase,
          verdict,
          failure,
          asked,
          Object.values(hosts).map((h) => [h.receipt, h.mayRun, h.stage]),
        ];
        for (const back of [started(state.awakeSince + 30 * HOUR), woke(state.awakeSince + 30 * HOUR)])
          assert.deepEqual(known(reduce(state, back)), known(state));
      }
    }),
    { numRuns: 300 },
  );
});

test("a run in launching whose controller was away for longer than timeouts.start goes on, and has the whole time again", () => {
  const launching = before("rank-started");
  for (const back of [started, woke]) {
    const at = 3 * HOUR;
    const state = replay([...launching, back(at), ...seen(at + 1)]);
    assert.equal(state.phase, "launching");
    const start = timers(state).find(({ timer }) => timer === "start");
    assert.equal(start?.at, at + state.spec.timeouts.startMs);
    const rest = goodRun()
      .slice(launching.length)
      .map((event) => ({ ...event, at: at + 1000 }));
    assert.equal(replay([...launching, back(at), ...rest]).phase, "succeeded");
  }
});

test("a stop asked just before the controller was away for a minute is still told to every host, with its whole time", () => {
  const running = [...before("rank-exited"), stop(100)];
  const at = 60_100;
  const state = replay([...running, started(at), ...seen(at + 1)]);
  assert.equal(state.phase, "stopping");
  const told = wanted(state).flatMap((effect) => (effect.do === "stop" ? [[effect.host, effect.graceMs]] : []));
  assert.deepEqual(told, [
    ["a", 30_000],
    ["b", 30_000],
    ["c", 30_000],
  ]);
  assert.equal(timers(state)[0]?.at, at + 30_000 + 20_000);
  assert.deepEqual(
    hostsOf(state).map((host) => host.receipt),
    [null, null, null],
  );
});

test("timeouts.run is the run's own time: it goes on while the controller is away, as training does", () => {
  const running = before("rank-exited").map((event) =>
    event.type === "requested" ? { ...event, spec: { ...event.spec, timeouts: { ...event.spec.timeouts, runMs: HOUR } } } : event,
  );
  const began = replay(running);
  assert.deepEqual(timers(began), timers(replay([...running, started(2 * HOUR)])));
  assert.equal(timers(began)[0]?.at, (began.runningAt ?? 0) + HOUR);
});

test("always: each host that is seen gets the newer record while the run is running, stopping, recovering or draining, and only then", () => {
  fc.assert(
    fc.property(schedule, pauses, (events, gaps) => {
      for (const state of play(events, gaps, () => undefined)) {
        const records = wanted(state).flatMap((effect) => (effect.do === "record" ? [effect.host] : []));
        const tells = ["running", "stopping", "recovering", "draining"].includes(state.phase);
        const expected = tells ? hostsOf(state).flatMap((host) => (host.seen && host.agent !== null ? [host.name] : [])) : [];
        assert.deepEqual(records, expected, state.phase);
      }
    }),
    { numRuns: 500 },
  );
});

test("a record is told anew to a host that comes back and in each later phase", () => {
  const key = (events: RunEvent[]): string[] => wanted(replay(events)).flatMap((effect) => (effect.do === "record" ? [effect.key] : []));
  const running = before("rank-exited");
  assert.equal(key(running).length, 3);
  const gone: RunEvent = { at: 200, type: "host-unseen", host: "b", why: "x" };
  assert.equal(key([...running, gone]).length, 2, "while it is away the old one is dropped, so that it is sent again");
  const stopping = key([...running, stop(300)]);
  assert.equal(stopping.length, 3);
  for (const one of stopping) assert.ok(!key(running).includes(one));
});

test("never: two entries that are one host get past connecting, whenever the controller restarts", () => {
  fc.assert(
    fc.property(fc.nat(6), fc.boolean(), (place, isDead) => {
      const connects = goodRun().flatMap((event) => (event.type === "host-connected" ? [{ ...event, agent: { key: "k", bundle: "h", pid: 1 } }] : []));
      const events: RunEvent[] = [requested(2), ...connects, ...goodRun().filter((event) => event.type === "host-prepared")];
      events.splice(Math.min(place + 1, events.length), 0, isDead ? started(2 * HOUR) : woke(2 * HOUR));
      const state = replay(events);
      assert.ok(isOver(state) || state.phase === "draining" || state.phase === "stopping", state.phase);
      assert.deepEqual([state.failure?.problem?.code, state.attempt], ["SAME_HOST", 0]);
    }),
  );
});
