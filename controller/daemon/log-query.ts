/** The stored logs of a run as one stream of lines: chosen, merged by the time they arrived, then followed from the very same byte on. */

import { statSync } from "node:fs";
import { join } from "node:path";
import type { LogLine, LogQuery } from "../../cluster/viewer.ts";
import { parseStream, type StreamName } from "./line-feed.ts";
import { type LogReader, readStream, type Source } from "./log-reader.ts";
import { findSources, isWanted } from "./log-sources.ts";

export type StreamKey = { readonly host: string; readonly stream: string };

export type LogView = {
  /** What was stored when the view was opened, in order of arrival; first of all. */
  readonly backlog: () => AsyncGenerator<LogLine>;
  /** What has come since in these streams. */
  readonly more: (changed: readonly StreamKey[]) => AsyncGenerator<LogLine>;
  /** What has come since in all streams, with lines that have no end: the run is over. */
  readonly rest: () => AsyncGenerator<LogLine>;
};

/** `latest`: the attempt meant by `attempt: null`; when followed, also the later ones. Sizes are those of this moment: nothing is awaited. */
export function openLogView(dir: string, want: LogQuery, latest: number, isFollowed: boolean): LogView {
  const isAttempt = (attempt: number): boolean => (want.attempt !== null ? attempt === want.attempt : isFollowed ? attempt >= latest : attempt === latest);
  const isChosen = (host: string, name: StreamName): boolean => isAttempt(name.attempt) && isWanted(want, host, name);
  const readers = new Map<string, LogReader>();
  const pathOf = ({ host, stream }: StreamKey): string => {
    const [attempt = "", file = ""] = stream.split("/");
    return join(dir, attempt, encodeURIComponent(host), file);
  };
  const found = (): Source[] => findSources(dir).filter(({ host, stream }) => isChosen(host, parseStream(stream)));
  const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  const reader = (source: Source, size: number, from: LogQuery | null): LogReader => {
    const key = `${source.host}\n${source.stream}`;
    const known = readers.get(key) ?? readStream(source, size, from);
    readers.set(key, known);
    return known;
  };
  const stored = found().map((source) => {
    const size = sizeOf(source.path);
    return { size, reader: reader(source, size, want) };
  });

  async function* backlog(): AsyncGenerator<LogLine> {
    const merged = merge(stored.map((one) => (isFollowed ? one.reader.read(one.size) : whole(one.reader, one.size))));
    const { since, last } = want;
    let tail: LogLine[] = [];
    for await (const line of merged) {
      if (since !== null && line.at < since) continue;
      if (last === null) yield line;
      else tail.push(line);
      if (last !== null && tail.length > 2 * last + 1000) tail = last === 0 ? [] : tail.slice(-last);
    }
    if (last !== null && last > 0) yield* tail.slice(-last);
  }

  return {
    backlog,
    more: (changed) => {
      const chosen = changed.filter(({ host, stream }) => isChosen(host, parseStream(stream))).map((key) => ({ ...key, path: pathOf(key) }));
      return merge(chosen.map((source) => reader(source, 0, null).read(sizeOf(source.path))));
    },
    rest: () => merge(found().map((source) => whole(reader(source, 0, null), sizeOf(source.path)))),
  };
}

async function* whole(reader: LogReader, size: number): AsyncGenerator<LogLine> {
  yield* reader.read(size);
  yield* reader.end();
}

/** Merges readers that are each in order of time; ties keep the order of the readers. */
async function* merge(readers: readonly AsyncGenerator<LogLine>[]): AsyncGenerator<LogLine> {
  const heads = await Promise.all(readers.map(async (reader) => ({ reader, head: await reader.next() })));
  for (;;) {
    let best: (typeof heads)[number] | undefined;
    for (const each of heads) {
      if (each.head.done !== true && (best === undefined || best.head.done === true || each.head.value.at < best.head.value.at)) best = each;
    }
    if (best === undefined || best.head.done === true) return;
    yield best.head.value;
    best.head = await best.reader.next();
  }
}
