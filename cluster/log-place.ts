/** The order of stored lines: by when they came, then by whose they are, then as they were written. */

import type { LogPlace } from "./viewer.ts";

export const compareStreams = (a: Pick<LogPlace, "host" | "stream">, b: Pick<LogPlace, "host" | "stream">): number =>
  compareTexts(a.host, b.host) || compareTexts(a.stream, b.stream);

export const comparePlaces = (a: LogPlace, b: LogPlace): number => a.at - b.at || compareStreams(a, b) || a.to - b.to;

/** By code units: the same on every machine. */
const compareTexts = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
