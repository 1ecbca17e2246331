/** A page of stored lines, before or after a place: of each stream only as much is read as the page may need. */

import { statSync } from "node:fs";
import { comparePlaces, compareStreams } from "../../cluster/log-place.ts";
import type { LogPage, LogPlace, LogQuery } from "../../cluster/viewer.ts";
import { parseStream } from "./line-feed.ts";
import { type From, type ReadLine, readStream, type Source } from "./log-reader.ts";
import { findSources, isWanted } from "./log-sources.ts";
import { openStamps } from "./stamps.ts";

export type PageQuery = LogQuery & { readonly page: NonNullable<LogQuery["page"]>; readonly attempt: number };

type Placed = { readonly line: ReadLine; readonly place: LogPlace };
/** What was read of one stream, in order; `isAll`: there is nothing further that way. */
type Part = { readonly lines: readonly Placed[]; readonly isAll: boolean };

/** Of a stream at first; more where that gives no page. */
const LEAST = 8;
/** A page is cut there: it goes to the viewer in one message. In UTF-16 units. */
const CHARS = 1024 * 1024;

/** `isOver`: lines without an end are told too, none will come. */
export async function readPage(dir: string, want: PageQuery, isOver: boolean): Promise<LogPage> {
  const { page } = want;
  const sources = findSources(dir).filter(({ host, stream }) => {
    const name = parseStream(stream);
    return name.attempt === want.attempt && isWanted(want, host, name);
  });
  const isBack = "before" in page;
  for (let quota = Math.max(LEAST, Math.ceil((2 * page.count) / Math.max(1, sources.length))); ; quota *= 4) {
    const parts: Part[] = [];
    for (const source of sources) parts.push(await (isBack ? lastBefore(source, page.before, quota, isOver) : firstAfter(source, page.after, quota, isOver)));
    const known = within(parts, isBack);
    const isAll = parts.every((part) => part.isAll);
    if (known.length < page.count / 2 && !isAll && quota < page.count) continue;
    const lines = cut(known, page.count, isBack);
    const isEnd = isAll && lines.length === known.length;
    return {
      lines: lines.map(({ line: { to: _, ...line } }) => line),
      from: lines[0]?.place ?? null,
      to: lines.at(-1)?.place ?? null,
      isFirst: isBack ? isEnd : page.after === null,
      isLast: isBack ? page.before === null : isEnd,
    };
  }
}

/** Lines nearer than the nearest end of what was read: none is missing between them. */
function within(parts: readonly Part[], isBack: boolean): readonly Placed[] {
  const ends = parts.flatMap(({ lines, isAll }) => {
    const end = isBack ? lines[0] : lines.at(-1);
    return isAll || end === undefined ? [] : [end.place];
  });
  const sign = isBack ? 1 : -1;
  const edge = ends.sort(comparePlaces).at(isBack ? -1 : 0);
  const known = parts.flatMap(({ lines }) => (edge === undefined ? lines : lines.filter(({ place }) => sign * comparePlaces(place, edge) >= 0)));
  return known.sort((a, b) => comparePlaces(a.place, b.place));
}

/** The nearest `count` lines, fewer when they are long. */
function cut(lines: readonly Placed[], count: number, isBack: boolean): readonly Placed[] {
  const near = isBack ? lines.slice(-count).reverse() : lines.slice(0, count);
  let chars = 0;
  const fit = near.findIndex(({ line }, k) => {
    chars += line.text.length;
    return chars > CHARS && k > 0;
  });
  const kept = fit < 0 ? near : near.slice(0, fit);
  return isBack ? [...kept].reverse() : kept;
}

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
const placed = ({ host, stream }: Source, line: ReadLine): Placed => ({ line, place: { at: line.at, host, stream, to: line.to ?? 0 } });

async function lastBefore(source: Source, place: LogPlace | null, count: number, isOver: boolean): Promise<Part> {
  const size = sizeOf(source.path);
  const end = place === null ? size : Math.min(size, await endBefore(source, place, size));
  const reader = readStream(source, end, { since: null, last: count }, true);
  const lines: Placed[] = [];
  const take = (line: ReadLine): void => {
    const one = placed(source, line);
    if (place === null || comparePlaces(one.place, place) < 0) lines.push(one);
  };
  for await (const line of reader.read(end)) take(line);
  if (isOver && end === size) for (const line of reader.end()) take(line);
  return { lines, isAll: reader.begun() === 0 };
}

/** Lines that end before this byte come before the place. */
async function endBefore(source: Source, place: LogPlace, size: number): Promise<number> {
  const order = compareStreams(source, place);
  if (order === 0) return Math.max(0, place.to - 1);
  const isBefore = (at: number): boolean => (order < 0 ? at <= place.at : at < place.at);
  const stamps = openStamps(`${source.path}.at`);
  const last = await stamps.seek((stamp) => isBefore(stamp.at));
  const { at, until } = await stamps.at(last);
  return isBefore(at) ? Math.min(until, size) : last;
}

async function firstAfter(source: Source, place: LogPlace | null, count: number, isOver: boolean): Promise<Part> {
  const size = sizeOf(source.path);
  const order = place === null ? 0 : compareStreams(source, place);
  const from: From = place === null ? null : order === 0 ? { byte: place.to } : { since: order < 0 ? place.at + 1 : place.at, last: null };
  const reader = readStream(source, size, from, true);
  const lines: Placed[] = [];
  const take = (line: ReadLine): void => {
    const one = placed(source, line);
    if (place === null || comparePlaces(one.place, place) > 0) lines.push(one);
  };
  let chars = 0;
  for await (const line of reader.read(size)) {
    const before = lines.length;
    take(line);
    if (lines.length > before) chars += line.text.length;
    if (lines.length >= count || chars > CHARS) return { lines, isAll: false };
  }
  if (isOver) for (const line of reader.end()) take(line);
  return { lines, isAll: true };
}
