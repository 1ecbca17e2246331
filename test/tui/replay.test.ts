/** A recording as a source: what it tells is what a controller would have told at the time that it is at; nothing of the future, and nothing acts. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { NexaError } from "../../cluster/errors.ts";
import { hostsOf } from "../../cluster/run/state.ts";
import type { Item, LogQuery, RunSummary, SamplesAnswer } from "../../cluster/viewer.ts";
import type { KnownRun } from "../../controller/cli/known-run.ts";
import { createReplay, type Replay } from "../../tui/replay.ts";
import type { Ask } from "../../tui/source.ts";
import { BEGUN, EVERY_MS, recordingOf } from "../support/recordings.ts";

const FAILED = recordingOf("failed");
const { run } = FAILED.head;
const WATCH: Ask = { ask: "watch", run, from: 0, logs: true, last: 5 };
const isCode = (code: string) => (error: unknown) => error instanceof NexaError && error.code === code;

/** It stands; only the test moves it. */
const standing = (): Replay => createReplay(FAILED, 0, () => 0);

/** Takes what comes until it has to wait. */
function listen(source: Replay, ask: Ask): { readonly heard: Item[]; readonly ended: Promise<unknown>; readonly stop: () => void } {
  const heard: Item[] = [];
  const stop = new AbortController();
  const ended = (async () => {
    for await (const item of source.stream(ask, stop.signal)) heard.push(item);
  })();
  ended.catch(() => undefined);
  return { heard, ended, stop: () => stop.abort() };
}

const settled = async (): Promise<void> => {
  for (let k = 0; k < 200; k += 1) await turn();
};
const events = (heard: readonly Item[]): readonly number[] => heard.flatMap((item) => (item.kind === "event" ? [item.index] : []));
const texts = (heard: readonly Item[]): readonly string[] => heard.flatMap((item) => (item.kind === "line" ? [item.line.text] : []));

test("watch: what had happened, the last lines, then each as its time comes; never one before it", async () => {
  const source = standing();
  const { heard, stop, ended } = listen(source, WATCH);
  await settled();
  assert.deepEqual([events(heard), texts(heard)], [[0], []]);
  source.replay.seek(BEGUN + 3 * EVERY_MS);
  await settled();
  assert.deepEqual(events(heard), [0, 1, 2, 3]);
  const third = FAILED.lines[2]?.at ?? 0;
  source.replay.seek(third);
  await settled();
  assert.deepEqual(texts(heard), ["step 0 loss 0.0", "step 1 loss 0.1", "step 2 loss 0.2"]);
  source.replay.seek(source.replay.to);
  await settled();
  assert.deepEqual([events(heard).length, texts(heard).length], [FAILED.events.length, 20]);
  const late = listen(source, WATCH);
  await settled();
  assert.deepEqual([events(late.heard).length, texts(late.heard)[0], texts(late.heard).length], [FAILED.events.length, "step 15 loss 0.15", 5]);
  stop();
  await ended;
  source.close();
  await late.ended;
});

test("moved back: every stream says so, and a new one tells only what had happened by then", async () => {
  const source = standing();
  source.replay.seek(source.replay.to);
  const streams = [WATCH, { ask: "logs", run, want: { ...ALL, follow: true } } as const].map((ask) => listen(source, ask));
  await settled();
  source.replay.seek(BEGUN + EVERY_MS);
  for (const { ended } of streams) await assert.rejects(ended, isCode("REPLAY_MOVED"));
  const again = listen(source, WATCH);
  await settled();
  assert.deepEqual([events(again.heard), texts(again.heard)], [[0, 1], []]);
  source.close();
  await again.ended;
});

const ALL: LogQuery = { hosts: null, ranks: null, streams: ["out", "err", "launcher"], attempt: null, since: null, last: null, follow: false };

test("logs, run, runs and samples are of the time that it is at", async () => {
  const source = standing();
  source.replay.seek(FAILED.lines[4]?.at ?? 0);
  const { heard, ended } = listen(source, { ask: "logs", run, want: ALL });
  await ended;
  assert.equal(texts(heard).length, 5);
  const known = (await source.ask({ ask: "run", run })) as KnownRun;
  assert.deepEqual([known.state.phase, known.wroteAt], ["launching", FAILED.lines[4]?.at]);
  assert.equal(known.events, Math.floor((source.replay.position() - BEGUN) / EVERY_MS) + 1);
  const [row] = (await source.ask({ ask: "runs", all: true })) as readonly RunSummary[];
  assert.deepEqual([row?.run, row?.phase, row?.endedAt], [run, "launching", null]);
  const samples = (await source.ask({ ask: "samples", run, since: 0 })) as SamplesAnswer;
  assert.equal(samples.now, source.replay.position());
  assert.equal(hostsOf(samples.state).length, samples.hosts.length);
  source.replay.seek(source.replay.to);
  assert.equal(((await source.ask({ ask: "run", run })) as KnownRun).state.phase, "failed");
});

test("nothing can be done to a recording, and it knows no other run", async () => {
  const source = standing();
  const acting: readonly Ask[] = [{ ask: "stop", run, graceMs: 0, by: "t", why: "t" }, { ask: "hang", run }, { ask: "quit" }];
  for (const ask of acting) await assert.rejects(source.ask(ask), isCode("REPLAY_ONLY"));
  await assert.rejects(source.ask({ ask: "run", run: "another" }), isCode("NO_RUN"));
  assert.equal(((await source.ask({ ask: "run", run })) as KnownRun).state.stop, null);
});

test("it goes as fast as it is told, stands at speed 0, and never beyond its bounds", async () => {
  let now = 0;
  const { replay } = createReplay(FAILED, 10, () => now);
  now = 30;
  assert.equal(replay.position(), BEGUN + 300);
  replay.setSpeed(0);
  now = 1000;
  assert.equal(replay.position(), BEGUN + 300);
  replay.setSpeed(1);
  now = 1100;
  assert.equal(replay.position(), BEGUN + 400);
  now = 1e9;
  assert.equal(replay.position(), replay.to);
  replay.seek(0);
  assert.equal(replay.position(), replay.from);
});

test("by its own clock all is told, in the order of time", async () => {
  const source = createReplay(FAILED, 100);
  const heard: Item[] = [];
  for await (const item of source.stream({ ...WATCH, ask: "watch" })) {
    heard.push(item);
    if (heard.length === FAILED.events.length + 20) break;
  }
  const times = heard.map((item) => (item.kind === "event" ? item.event.at : item.kind === "line" ? item.line.at : assert.fail(item.kind)));
  assert.deepEqual(times, times.toSorted());
});
