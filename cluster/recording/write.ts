/** The rows of a recording's file. Points of one host must come in the order of time: each tells only what changed since the one before it. */

import type { RunEvent } from "../run/events.ts";
import { diff } from "../telemetry/patch.ts";
import type { Sample } from "../telemetry/sample.ts";
import type { LogLine } from "../viewer.ts";
import type { Head, TimedPoint } from "./recording.ts";

export type RowWriter = {
  readonly head: (head: Head) => string;
  readonly event: (event: RunEvent) => string;
  readonly line: (line: LogLine) => string;
  readonly point: (point: TimedPoint) => string;
  readonly end: () => string;
};

export function createRowWriter(): RowWriter {
  const told = new Map<string, Sample>();
  const counts = { events: 0, lines: 0, points: 0 };
  const row = (value: object): string => `${JSON.stringify(value)}\n`;
  return {
    head: row,
    event: (event) => {
      counts.events += 1;
      return row({ e: event });
    },
    line: (line) => {
      counts.lines += 1;
      return row({ l: line });
    },
    point: ({ host, heardAt, point: { at, spanMs, sample } }) => {
      counts.points += 1;
      const before = told.get(host);
      told.set(host, sample);
      return row({ p: { host, at, heardAt, spanMs, ...(before === undefined ? { full: sample } : { patch: diff(before, sample) }) } });
    },
    end: () => row({ end: counts }),
  };
}
