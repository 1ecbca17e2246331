/**
 * When a run has been without progress for too long: limits are learned from what its ranks write, unless the file gives them. Pure; time is an argument.
 *
 * A stream is one rank's stdout or stderr. Pauses are measured per stream, so that many ranks that write at once do not make the run look faster than it is.
 * A run is quiet when all of its streams are.
 */

import { kindOf, type LineKind, shapeOf } from "../steps/line-kind.ts";

/** A hang is never spoken of sooner, unless the file says so: shorter pauses are everywhere. */
export const LEAST_MS = 60_000;
/** Before the first step: compilation, loading of data and weights, a first collective. */
export const FIRST_STEP_MS = 15 * 60_000;
/** An evaluation or a save that was never seen to end. */
export const UNKNOWN_PHASE_MS = 15 * 60_000;
/** Pauses of the steps: five times the 99th percentile; of evaluation and saving, whose length varies more: three times the longest. */
const STEP_FACTOR = 5;
const PHASE_FACTOR = 3;
/** After the first step: that long in a collective that no rank is missing from is a hang, whatever the ranks last spoke of. A slow link's largest take less. */
export const COLLECTIVE_MS = 5 * 60_000;
/** Steps of one stream, and the time that they took as it was watched, before their pace is trusted. */
const ENOUGH = 5;
const ENOUGH_MS = 60_000;
/** The same statement without a number that grew, so many times in a row, says that nothing moves. */
const REPEATS = 3;
/** Less is no pause: what was buffered arrives in bursts, which say nothing of the pace. */
const PAUSE_MS = 1000;
/** Pauses kept; older ones are written over. */
const KEPT = 1024;
/** Shapes remembered of one stream. */
const SHAPES = 64;

export type Limits = { readonly hangMs: number | null; readonly firstStepMs: number | null };
export type Stage = "first-step" | "training" | "evaluation" | "saving";
/** Quiet for longer than `limitMs`. `by`: the file, the run so far, or a default. `onlyInCollective`: it is a hang only where all ranks stand in one. */
export type Overdue = {
  readonly quietMs: number;
  readonly limitMs: number;
  readonly stage: Stage;
  readonly by: "file" | "run" | "default";
  readonly onlyInCollective: boolean;
};

export type Progress = {
  /** `kind`: what a pattern of the file makes of it. */
  readonly line: (stream: string, text: string, at: number, kind?: LineKind) => void;
  /** null: there is no reason to look yet. */
  readonly due: (now: number) => Overdue | null;
  /** Time before `at` counts as if something had moved then: nobody listened. */
  readonly forgive: (at: number) => void;
  /** When the last progress was heard of; `forgive` does not change it. */
  readonly lastAt: () => number;
  readonly movedSince: (at: number) => boolean;
};

type Stream = { lastAt: number; pauses: number; watchedMs: number; readonly shapes: Map<string, { text: string; repeats: number }> };

export function watchProgress(limits: Limits, since: number): Progress {
  const streams = new Map<string, Stream>();
  const pauses: number[] = [];
  let isTrusted = false;
  let kept = 0;
  let forgivenAt = since;
  let steps = 0;
  let stage: Stage = "first-step";
  let lastAt = since;
  let quietSince = since;
  const longest = { evaluation: 0, saving: 0 };

  const line = (key: string, text: string, at: number, kind = kindOf(text)): void => {
    const stream = streams.get(key) ?? { lastAt: -1, pauses: 0, watchedMs: 0, shapes: new Map() };
    streams.set(key, stream);
    if (kind === "noise" || !isNew(stream, text)) return;
    if (stage === "evaluation" || stage === "saving") longest[stage] = Math.max(longest[stage], at - quietSince);
    if (kind === "step") {
      steps += 1;
      if (stage === "training" && stream.lastAt >= 0 && stream.lastAt >= forgivenAt) keep(stream, at - stream.lastAt);
    }
    stream.lastAt = at;
    stage = nextStage(stage, kind, steps);
    lastAt = Math.max(lastAt, at);
    quietSince = Math.max(quietSince, at);
  };

  const keep = (stream: Stream, pauseMs: number): void => {
    stream.pauses += 1;
    stream.watchedMs += pauseMs;
    isTrusted ||= stream.pauses >= ENOUGH && stream.watchedMs >= ENOUGH_MS;
    if (pauseMs >= PAUSE_MS) pauses[kept++ % KEPT] = pauseMs;
  };

  const limit = (): Pick<Overdue, "limitMs" | "by"> => {
    const trained = isTrusted ? Math.max(LEAST_MS, STEP_FACTOR * percentile99(pauses)) : FIRST_STEP_MS;
    const known = stage === "evaluation" || stage === "saving" ? longest[stage] : null;
    if (known === null) return { limitMs: trained, by: isTrusted ? "run" : "default" };
    const phase = known === 0 ? UNKNOWN_PHASE_MS : Math.max(LEAST_MS, PHASE_FACTOR * known);
    return { limitMs: Math.max(trained, phase), by: trained > phase ? (isTrusted ? "run" : "default") : known === 0 ? "default" : "run" };
  };

  const due = (now: number): Overdue | null => {
    const given = stage === "first-step" ? limits.firstStepMs : limits.hangMs;
    const { limitMs, by }: Pick<Overdue, "limitMs" | "by"> =
      given !== null ? { limitMs: given, by: "file" } : stage === "first-step" ? { limitMs: FIRST_STEP_MS, by: "default" } : limit();
    const quietMs = now - quietSince;
    if (quietMs > limitMs) return { quietMs, limitMs, stage, by, onlyInCollective: false };
    const isLong = given === null && stage !== "first-step" && quietMs > COLLECTIVE_MS;
    return isLong ? { quietMs, limitMs: COLLECTIVE_MS, stage, by: "default", onlyInCollective: true } : null;
  };

  return {
    line,
    due,
    forgive: (at) => {
      forgivenAt = Math.max(forgivenAt, at);
      quietSince = Math.max(quietSince, at);
    },
    lastAt: () => lastAt,
    movedSince: (at) => lastAt > at,
  };
}

/** Training begins with a step; a line that is none of ours leaves the stage as it is. */
function nextStage(stage: Stage, kind: LineKind, steps: number): Stage {
  if (kind === "step") return "training";
  if (kind === "text" || kind === "noise") return stage;
  return steps === 0 ? stage : kind;
}

/** Said again and again without a change it is no progress. */
function isNew({ shapes }: Stream, text: string): boolean {
  const shape = shapeOf(text);
  const known = shapes.get(shape);
  shapes.delete(shape);
  const repeats = known !== undefined && known.text === text ? known.repeats + 1 : 0;
  shapes.set(shape, { text: text.slice(0, 1000), repeats });
  const [oldest] = shapes.keys();
  if (shapes.size > SHAPES && oldest !== undefined) shapes.delete(oldest);
  return repeats < REPEATS;
}

function percentile99(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.99))] ?? 0;
}
