/** Reads the stored logs of a run: chosen streams, merged by the time they arrived, from the end or from the start, never whole in memory. */

import { createReadStream, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { LogLine, LogQuery } from "../../cluster/viewer.ts";
import { feedLines, parseStream } from "./line-feed.ts";
import { isStream } from "./log-store.ts";

type Source = { readonly host: string; readonly stream: string; readonly path: string };
type Stamp = { readonly offset: number; readonly at: number };
/** How far back the last n lines are looked for, in bytes a line; more is read when lines are longer. */
const GUESS = 256;

export const matches = (want: LogQuery): ((line: LogLine) => boolean) => {
  const pattern = want.grep === null ? null : new RegExp(want.grep, "u");
  return (line) =>
    want.streams.includes(line.stream) &&
    (want.hosts === null || want.hosts.includes(line.host)) &&
    (want.ranks === null || (line.rank !== null && want.ranks.includes(line.rank))) &&
    (want.attempt === null || want.attempt === line.attempt) &&
    (want.since === null || line.at >= want.since) &&
    (pattern === null || pattern.test(line.text));
};

/** What is stored now, in order of arrival. `latest`: the attempt meant by `attempt: null`. */
export async function* readLogs(dir: string, want: LogQuery, latest: number): AsyncGenerator<LogLine> {
  const wanted = { ...want, attempt: want.attempt ?? latest };
  const isWanted = matches(wanted);
  const sources = findSources(dir, wanted.attempt).filter(({ host, stream }) => {
    const name = parseStream(stream);
    return (
      want.streams.includes(name.stream) &&
      (want.hosts === null || want.hosts.includes(host)) &&
      (want.ranks === null || (name.rank !== null && want.ranks.includes(name.rank)))
    );
  });
  const readers = sources.map((source) => linesOf(source, want));
  if (want.last === null) {
    for await (const line of merge(readers)) if (isWanted(line)) yield line;
    return;
  }
  let tail: LogLine[] = [];
  for await (const line of merge(readers)) {
    if (isWanted(line)) tail.push(line);
    if (tail.length > 2 * want.last + 1000) tail = tail.slice(-want.last);
  }
  yield* want.last === 0 ? [] : tail.slice(-want.last);
}

function findSources(dir: string, attempt: number): Source[] {
  const root = join(dir, `a${attempt}`);
  if (!existsSync(root)) return [];
  return readdirSync(root).flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((file) => isStream(`a${attempt}/${file}`))
      .sort((a, b) => a.localeCompare(b, "en", { numeric: true }))
      .map((file) => ({ host: decodeURIComponent(folder), stream: `a${attempt}/${file}`, path: join(root, folder, file) })),
  );
}

function readStamps(path: string): Stamp[] {
  if (!existsSync(`${path}.at`)) return [];
  const lines = readFileSync(`${path}.at`, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => ({ offset: Number(line.split(" ")[0]), at: Number(line.split(" ")[1]) }));
}

async function* linesOf(source: Source, want: LogQuery): AsyncGenerator<LogLine> {
  const stamps = readStamps(source.path);
  const { size } = statSync(source.path);
  let start = want.since === null ? 0 : (stamps.findLast((stamp) => stamp.at < (want.since ?? 0))?.offset ?? 0);
  if (want.last !== null && want.grep === null) start = Math.max(start, await tailStart(source.path, size, want.last));
  let offset = start;
  let next = stamps.findIndex((stamp) => stamp.offset > start);
  if (next < 0) next = stamps.length;
  let lines: LogLine[] = [];
  const feed = feedLines((line) => lines.push(line));
  const at = (): number => stamps[Math.max(0, next - 1)]?.at ?? 0;
  for await (const chunk of createReadStream(source.path, { start, end: Math.max(start, size - 1), highWaterMark: 256 * 1024 })) {
    let rest = chunk as Buffer;
    while (rest.length > 0) {
      const until = stamps[next]?.offset ?? Number.POSITIVE_INFINITY;
      const part = rest.subarray(0, Math.min(rest.length, until - offset));
      feed.push(source.host, source.stream, part, at());
      offset += part.length;
      rest = rest.subarray(part.length);
      if (offset >= until) next += 1;
    }
    yield* lines;
    lines = [];
  }
  feed.flush(at());
  yield* lines;
}

/** Offset from which at least `count` lines follow. */
async function tailStart(path: string, size: number, count: number): Promise<number> {
  const file = await open(path);
  try {
    for (let back = Math.min(size, (count + 1) * GUESS); ; back = Math.min(size, back * 4)) {
      const buffer = Buffer.alloc(back);
      await file.read(buffer, 0, back, size - back);
      let seen = 0;
      for (let k = back - 1; k >= 0; k -= 1) {
        if (buffer[k] === 10 && k !== back - 1) seen += 1;
        if (seen === count) return size - back + k + 1;
      }
      if (back === size) return 0;
    }
  } finally {
    await file.close();
  }
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
