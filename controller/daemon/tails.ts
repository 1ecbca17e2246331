/** The ends of an attempt's streams as they are on the controller's disk. */

import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Tail } from "../../cluster/cause/evidence.ts";
import { isStream } from "./log-store.ts";
import { readPiece } from "./read-piece.ts";

/** In bytes: a traceback and what led to it. */
const TAIL = 64 * 1024;
/** Streams that are read; ranks that ended first come first. */
const STREAMS_MAX = 160;

/** Of these hosts; `order`: ranks whose words matter most first. What cannot be read is left out. */
export async function readTails(logsDir: string, attempt: number, hosts: readonly string[], order: readonly number[]): Promise<Tail[]> {
  const found = (await Promise.all(hosts.map((host) => streamsOf(logsDir, attempt, host)))).flat();
  const place = new Map(order.map((rank, index) => [rank, index]));
  const placeOf = ({ rank }: { readonly rank: number | null }): number => (rank === null ? -1 : (place.get(rank) ?? order.length + rank));
  const wanted = found.sort((a, b) => placeOf(a) - placeOf(b) || a.path.localeCompare(b.path)).slice(0, STREAMS_MAX);
  const tails: Tail[] = [];
  for (const { host, stream, rank, path } of wanted) {
    const text = await tailOf(path).catch(() => "");
    if (text !== "") tails.push({ host, stream, rank, text });
  }
  return tails;
}

async function streamsOf(logsDir: string, attempt: number, host: string) {
  const dir = join(logsDir, `a${attempt}`, encodeURIComponent(host));
  const names = await readdir(dir).catch(() => []);
  return names
    .filter((stream) => isStream(`a${attempt}/${stream}`))
    .map((stream) => {
      const rank = /^rank(\d+)\./.exec(stream)?.[1];
      return { host, stream, rank: rank === undefined ? null : Number(rank), path: join(dir, stream) };
    });
}

async function tailOf(path: string): Promise<string> {
  const { size } = await stat(path);
  const from = Math.max(0, size - TAIL);
  const text = (await readPiece(path, from, Math.min(size, TAIL))).toString("utf8").replaceAll("\0", ""); // zeros: the hole of a gap
  return from === 0 ? text : text.slice(text.indexOf("\n") + 1);
}
