/** Runs on real hosts as recordings, and the model that a viewer had of one at a time of it. They were made on a lab of three hosts by `nexadist record`. */

import { fileURLToPath } from "node:url";
import type { Recording } from "../../../cluster/recording/recording.ts";
import { makeSamplesAt } from "../../../cluster/recording/samples-at.ts";
import { makeTimeline } from "../../../cluster/recording/timeline.ts";
import { summarise } from "../../../cluster/view/summarise.ts";
import { openRecording } from "../../../controller/cli/replay.ts";
import type { Model } from "../../../tui/model.ts";
import { createRunFold } from "../../../tui/run-fold.ts";

/**
 * healthy: 75 steps and a good end. worker-killed: rank 3 is killed at step 30, attempt 2 goes on from a checkpoint. host-pulled: gpu-c is lost, attempt 2
 * goes on with two hosts. failed: the same exception in two attempts.
 */
export const RECORDED = ["healthy", "worker-killed", "host-pulled", "failed"] as const;
export type RecordedName = (typeof RECORDED)[number];

export const recordingPath = (name: RecordedName): string => fileURLToPath(new URL(`../recordings/${name}.nexarec`, import.meta.url));
export const openRecorded = (name: RecordedName): Recording => openRecording(recordingPath(name), `${name}.nexarec`);

/** `ms` after its beginning; from "crash": after the first thing went wrong; from "end": after its end. */
export function modelAt(name: RecordedName, ms: number, from: "start" | "crash" | "end" = "start"): Model {
  const recording = openRecorded(name);
  const timeline = makeTimeline(recording);
  const now = (from === "start" ? timeline.from : from === "crash" ? (timeline.crashAt ?? timeline.to) : timeline.to) + ms;
  const samples = makeSamplesAt(recording, timeline);
  const fold = createRunFold(recording.head.run);
  const lines = recording.lines.slice(0, timeline.linesBy(now)).filter(({ stream }) => stream !== "nccl");
  let next = 0;
  for (const [index, event] of recording.events.slice(0, timeline.eventsBy(now)).entries()) {
    for (let line = lines[next]; line !== undefined && line.at < event.at; line = lines[next]) {
      fold.take({ kind: "line", line }, line.at);
      next += 1;
    }
    fold.take({ kind: "event", index, event }, event.at);
  }
  for (const line of lines.slice(next)) fold.take({ kind: "line", line }, line.at);
  fold.samples(
    samples.answer(now),
    samples.between(0, now).map(({ host, point }) => [host, point] as const),
  );
  return { now, link: { state: "ok" }, isReadonly: false, run: fold.model(), runs: [summarise(timeline.stateAt(now))] };
}
