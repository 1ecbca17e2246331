/** A run of two hosts as a recording: an event every 100 ms, lines and points beside them. */

import type { Recording } from "../../cluster/recording/recording.ts";
import { createRowWriter } from "../../cluster/recording/write.ts";
import type { RunSpec } from "../../cluster/spec.ts";
import type { LogLine } from "../../cluster/viewer.ts";
import { lifeOf, SPEC } from "./fake-controller.ts";

export const BEGUN = 1_700_000_000_000;
export const EVERY_MS = 100;

export const said = (rank: number, at: number, text: string, more: Partial<LogLine> = {}): LogLine => ({
  ...{ host: rank === 0 ? "gpu-a" : "gpu-b", rank, stream: "out", attempt: 1, at, text },
  ...more,
});

export function recordingOf(until: "running" | "succeeded" | "failed", spec: RunSpec = SPEC): Recording {
  const events = lifeOf(spec, until).map((event, k) => ({ ...event, at: BEGUN + k * EVERY_MS }));
  const startsAt = events.find(({ type }) => type === "rank-started")?.at ?? BEGUN;
  const lines = Array.from({ length: 20 }, (_, k) => said(k % 2, startsAt + k * 10, `step ${k} loss 0.${k}`));
  const points = events.map(({ at }, k) => ({
    ...{ host: k % 2 === 0 ? "gpu-a" : "gpu-b", heardAt: at + 5 },
    point: { at, spanMs: 1000, sample: { gpus: {}, processes: {}, host: { load1: k }, nets: {}, disks: {} } },
  }));
  return { head: { recording: "nexadist", format: 1, version: "0.0.0", run: spec.run, madeAt: BEGUN, cut: [] }, events, lines, points };
}

/** The lines of its file. */
export function rowsOf({ head, events, lines, points }: Recording): readonly string[] {
  const write = createRowWriter();
  const rows = [write.head(head), ...events.map(write.event), ...lines.map(write.line), ...points.map(write.point), write.end()];
  return rows.map((row) => row.trimEnd());
}
