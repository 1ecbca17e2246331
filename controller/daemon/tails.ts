/** The ends of an attempt's streams as they are on the controller's disk. */

import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Tail } from "../../cluster/cause/evidence.ts";
import { isStream } from "./log-store.ts";
import { readPiece } from "./read-piece.ts";

/** In bytes: a traceback and what led to it. */
const TAIL = 64 * 1024;
/** Bytes come over a link; this is how often we look. */
const LOOK_MS = 40;
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

/** Until all that each host told of is here; false at the deadline. */
export async function whenHere(
  logsDir: string,
  told: readonly { readonly host: string; readonly sizes: Readonly<Record<string, number>> }[],
  deadline: number,
): Promise<boolean> {
  const open = told
    .flatMap(({ host, sizes }) => Object.entries(sizes).map(([stream, size]) => ({ host, stream, size })))
    .filter(({ stream }) => isStream(stream));
  const isHere = async ({ host, stream, size }: { readonly host: string; readonly stream: string; readonly size: number }): Promise<boolean> => {
    const [attempt = "", file = ""] = stream.split("/");
    return size === 0 || ((await stat(join(logsDir, attempt, encodeURIComponent(host), file)).catch(() => null))?.size ?? 0) >= size;
  };
  for (let one = open.pop(); one !== undefined; one = open.pop()) {
    while (!(await isHere(one))) {
      if (performance.now() > deadline) return false;
      await delay(LOOK_MS);
    }
  }
  return true;
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
