/** Reads a recording's file. It may come from anywhere: what is not one, or is damaged, is said and not guessed at. */

import { fail } from "../errors.ts";
import type { RunEvent } from "../run/events.ts";
import { isFirst, reduce, start } from "../run/reduce.ts";
import { applyPatch } from "../telemetry/patch.ts";
import { type Sample, sampleSchema } from "../telemetry/sample.ts";
import type { LogLine } from "../viewer.ts";
import { FORMAT, type Head, headSchema, type Recording, rowSchema, type TimedPoint } from "./recording.ts";

/** Errors: RECORDING. */
export function readRecording(file: string, rows: Iterable<string>): Recording {
  const bad = (why: string): Error => fail("RECORDING", { file, why });
  let head: Head | null = null;
  const events: RunEvent[] = [];
  const lines: LogLine[] = [];
  const points: TimedPoint[] = [];
  const samples = new Map<string, Sample>();
  let isEnded = false;
  let number = 0;
  for (const text of rows) {
    number += 1;
    if (isEnded) throw bad(`something follows its end, on line ${number}`);
    const json = parse(text);
    if (head === null) {
      const found = headSchema.safeParse(json);
      if (!found.success) throw bad("it is no recording of nexadist");
      if (found.data.format !== FORMAT)
        throw bad(`it is of format ${found.data.format}, made by nexadist ${found.data.version}; this nexadist reads ${FORMAT}`);
      head = found.data;
      continue;
    }
    const found = rowSchema.safeParse(json);
    if (!found.success) throw bad(`line ${number} cannot be read`);
    const row = found.data;
    if ("e" in row) events.push(row.e as unknown as RunEvent);
    else if ("l" in row) lines.push(row.l as LogLine);
    else if ("p" in row) {
      const { host, at, heardAt, spanMs, full, patch } = row.p;
      const whole = sampleSchema.safeParse(full ?? applyPatch(samples.get(host) ?? {}, patch ?? {}));
      if (!whole.success) throw bad(`line ${number}: the sample of a host cannot be read`);
      samples.set(host, whole.data);
      points.push({ host, heardAt, point: { at, spanMs, sample: whole.data } });
    } else {
      const { end } = row;
      if (end.events !== events.length || end.lines !== lines.length || end.points !== points.length) throw bad("parts of it are missing");
      isEnded = true;
    }
  }
  if (head === null) throw bad("it is empty");
  if (!isEnded) throw bad("it is cut off: its end is missing");
  check(events, bad);
  const byTime = <T>(list: readonly T[], time: (one: T) => number): T[] => [...list].sort((a, b) => time(a) - time(b));
  return { head, events, lines: byTime(lines, (line) => line.at), points: byTime(points, (point) => point.heardAt) };
}

/** A journal that no run could have. */
function check(events: readonly RunEvent[], bad: (why: string) => Error): void {
  const [first, ...later] = events;
  if (first === undefined || !isFirst(first)) throw bad("it does not begin with the beginning of a run");
  try {
    let state = start(first);
    for (const event of later) state = reduce(state, event);
  } catch {
    throw bad("its events make no run");
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
