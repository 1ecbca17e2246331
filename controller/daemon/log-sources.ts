/** Which streams of a run are stored, and which of them a question is about. */

import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { LogQuery } from "../../cluster/viewer.ts";
import type { StreamName } from "./line-feed.ts";
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

function list(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return []; // not there yet, or a stray file
  }
}
