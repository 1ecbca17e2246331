/** A page of lines that are all here, as a controller would have answered: their places are their numbers. */

import type { LogLine, LogPage, LogPlace, LogQuery } from "../viewer.ts";

export function pageOf(lines: readonly LogLine[], page: NonNullable<LogQuery["page"]>): LogPage {
  const isBack = "before" in page;
  const place = isBack ? page.before : page.after;
  const start = place === null ? (isBack ? lines.length : 0) : indexOf(lines, place, isBack);
  const [from, to] = isBack ? [Math.max(0, start - page.count), start] : [start, Math.min(lines.length, start + page.count)];
  const placeOf = (index: number): LogPlace | null => {
    const line = lines[index];
    return line === undefined || from >= to ? null : { at: line.at, host: line.host, stream: "", to: index + 1 };
  };
  return { lines: lines.slice(from, to), from: placeOf(from), to: placeOf(to - 1), isFirst: from === 0, isLast: to === lines.length };
}

/** Of the line that a place names, or of the first after it. A time alone comes before the lines of that time. */
function indexOf(lines: readonly LogLine[], { at, to }: LogPlace, isBack: boolean): number {
  if (to > 0) return isBack ? to - 1 : to;
  const index = lines.findIndex((line) => line.at >= at);
  return index < 0 ? lines.length : index;
}
