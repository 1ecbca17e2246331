/** A recording's file is read as it was written, or refused; what is told at a time is what had happened by then. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { NexaError } from "../../../cluster/errors.ts";
import { makeLinesAt } from "../../../cluster/recording/lines-at.ts";
import { readRecording } from "../../../cluster/recording/read.ts";
import { makeSamplesAt } from "../../../cluster/recording/samples-at.ts";
import { makeTimeline } from "../../../cluster/recording/timeline.ts";
import { replay } from "../../../cluster/run/reduce.ts";
import type { LogQuery } from "../../../cluster/viewer.ts";
import { BEGUN, EVERY_MS, recordingOf, rowsOf, said } from "../../support/recordings.ts";

const FAILED = recordingOf("failed");
const refused = (rows: readonly string[]): string => {
  try {
    readRecording("x.nexarec", rows);
  } catch (error) {
    if (error instanceof NexaError && error.code === "RECORDING") return error.message;
    throw error;
  }
  return "";
};

test("what was written is read", () => {
  assert.deepEqual(readRecording("x", rowsOf(FAILED)), FAILED);
});

test("wherever it is cut, whatever line is missing or spoiled, it is refused in a sentence", () => {
  const rows = rowsOf(FAILED);
  for (let length = 0; length < rows.length; length += 1) assert.match(refused(rows.slice(0, length)), /^x\.nexarec cannot be played: /, `cut after ${length}`);
  fc.assert(
    fc.property(fc.nat(rows.length - 1), fc.string({ maxLength: 40 }), (k, text) => {
      assert.notEqual(refused(rows.with(k, text)), "", `line ${k} is ${text}`);
      assert.notEqual(refused(rows.toSpliced(k, 1)), "", `without line ${k}`);
    }),
  );
});

test("what is no recording, or one of another time, is told apart", () => {
  const [head = "", ...rest] = rowsOf(FAILED);
  assert.match(refused([]), /it is empty/);
  assert.match(refused(["{}"]), /it is no recording of nexadist/);
  assert.match(refused(["PK\u0003\u0004"]), /it is no recording of nexadist/);
  assert.match(refused([head.replace('"format":1', '"format":9'), ...rest]), /format 9, made by nexadist 0\.0\.0; this nexadist reads 1/);
  assert.match(refused([head, ...rest.slice(1)]), /line|parts|beginning/);
  assert.match(refused([head, ...rest, rest.at(-1) ?? ""]), /something follows its end/);
  assert.match(
    refused([head, JSON.stringify({ e: { at: 1, type: "requested" } }), JSON.stringify({ end: { events: 1, lines: 0, points: 0 } })]),
    /make no run/,
  );
});

test("the state at any time is the fold of what had happened by then, whichever way one came there", () => {
  const timeline = makeTimeline(FAILED);
  assert.equal(timeline.from, BEGUN);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -50, max: FAILED.events.length * EVERY_MS + 100 }), { minLength: 1, maxLength: 30 }), (times) => {
      for (const ms of times) {
        const count = Math.min(FAILED.events.length, Math.max(1, Math.floor(ms / EVERY_MS) + 1));
        assert.deepEqual(timeline.stateAt(BEGUN + ms), replay(FAILED.events.slice(0, count)));
      }
    }),
  );
});

test("the crash is where the first thing went wrong; a run that ends well has none", () => {
  const { crashAt, stateAt } = makeTimeline(FAILED);
  assert.ok(crashAt !== null);
  assert.equal(stateAt(crashAt - 1).trouble, null);
  assert.notEqual(stateAt(crashAt).trouble, null);
  assert.equal(makeTimeline(recordingOf("succeeded")).crashAt, null);
  assert.equal(makeTimeline(recordingOf("running")).crashAt, null);
});

test("a clock that went back while it was recorded does not bring the order of events back", () => {
  const events = FAILED.events.map((event, k) => (k === 5 ? { ...event, at: BEGUN } : event));
  const timeline = makeTimeline({ ...FAILED, events });
  for (const [k] of events.entries()) assert.ok(timeline.eventAt(k) >= timeline.eventAt(Math.max(0, k - 1)));
  assert.equal(timeline.eventsBy(timeline.to), events.length);
});

const ALL: LogQuery = { hosts: null, ranks: null, streams: ["out", "err", "launcher"], attempt: null, since: null, last: null, follow: false };

test("lines: those of then, of the attempt of then, by host, rank, stream, age and number", () => {
  const timeline = makeTimeline(FAILED);
  const at = (FAILED.lines[9]?.at ?? 0) + 1;
  const { stored } = makeLinesAt(FAILED, timeline);
  const texts = (want: Partial<LogQuery>, when = at): readonly string[] => stored({ ...ALL, ...want }, when).map(({ text }) => text);
  assert.equal(texts({}).length, 10);
  assert.deepEqual(texts({ ranks: [1], last: 2 }), ["step 7 loss 0.7", "step 9 loss 0.9"]);
  assert.deepEqual(texts({ hosts: ["gpu-a"], since: FAILED.lines[8]?.at ?? 0 }), ["step 8 loss 0.8"]);
  assert.deepEqual([texts({ streams: ["err"] }), texts({ attempt: 2 }), texts({}, BEGUN), texts({ last: 0 })], [[], [], [], []]);
});

test("the pace is of the lines until then, forwards and backwards", () => {
  const lines = Array.from({ length: 30 }, (_, k) => said(0, (FAILED.lines[0]?.at ?? 0) + k * 1000, `step ${k}/100 loss 0.5`));
  const recording = { ...recordingOf("running"), lines };
  const { paceAt } = makeLinesAt(recording, makeTimeline(recording));
  const stepAt = (k: number): number | null | undefined => paceAt(lines[k]?.at ?? 0).pace()?.step;
  assert.deepEqual([stepAt(3), stepAt(20), stepAt(5), stepAt(29)], [3, 20, 5, 29]);
});

test("samples: nothing of the future, the last of each host, silence gets old", () => {
  const timeline = makeTimeline(FAILED);
  const samples = makeSamplesAt(FAILED, timeline);
  const at = BEGUN + 4 * EVERY_MS + 6;
  assert.deepEqual(
    samples.answer(at).hosts.map(({ host, sample }) => [host, sample.host.load1]),
    [
      ["gpu-a", 4],
      ["gpu-b", 3],
    ],
  );
  assert.deepEqual(
    samples.between(at - 2 * EVERY_MS, at).map(({ point }) => point.sample.host.load1),
    [3, 4],
  );
  const late = timeline.to + 60_000;
  for (const { heardAt } of samples.answer(late).hosts) assert.ok(late - (heardAt ?? late) >= 60_000);
  assert.deepEqual(samples.answer(BEGUN).hosts, []);
});
