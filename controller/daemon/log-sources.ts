/** Which streams of a run are stored, and which of them a question is about. */

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { LogQuery } from "../../cluster/viewer.ts";
import { parseStream, type StreamName } from "./line-feed.ts";
import type { Source } from "./log-reader.ts";
import { isStream } from "./log-store.ts";

/** But for the attempt. */
export const isWanted = (want: LogQuery, host: string, name: StreamName): boolean =>
  want.streams.includes(name.stream) &&
  (want.hosts === null || want.hosts.includes(host)) &&
  (want.ranks === null || (name.rank !== null && want.ranks.includes(name.rank)));

export function findSources(dir: string): Source[] {
  return list(dir).flatMap((attempt) =>
    list(join(dir, attempt)).flatMap((folder) =>
      list(join(dir, attempt, folder))
        .filter((file) => isStream(`${attempt}/${file}`))
        .sort((a, b) => a.localeCompare(b, "en", { numeric: true }))
        .map((file) => ({ host: decodeURIComponent(folder), stream: `${attempt}/${file}`, path: join(dir, attempt, folder, file) })),
    ),
  );
}

/** The newest attempt that has written something of what is wanted; `latest` where none has. */
export function lastWritten(dir: string, want: LogQuery, latest: number): number {
  const written = findSources(dir).flatMap(({ host, stream, path }) => {
    const name = parseStream(stream);
    return name.attempt <= latest && isWanted(want, host, name) && (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0 ? name.attempt : [];
  });
  return written.reduce((last, attempt) => Math.max(last, attempt), 0) || latest;
}

function list(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return []; // not there yet, or a stray file
  }
}
