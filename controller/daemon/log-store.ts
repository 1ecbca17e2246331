/**
 * The logs of one run on the controller's disk: one file a stream, its size is the cursor, so what came twice is dropped and what is
 * missing is a gap on record. logs/a1/HOST/rank3.out · rank3.out.at: lines "offset ms" (when bytes from there arrived) · gaps.jsonl
 */

import { closeSync, existsSync, fstatSync, ftruncateSync, mkdirSync, openSync, readdirSync, readSync, statSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";

/** Arrival times are kept at this grain: a rank's line a second is never told with the time of the line before it. */
const STAMP_MS = 100;
/** Files held open at once; a thousand ranks have more streams than a process has descriptors. */
const OPEN_MAX = 64;
/** A host that tells more than this is not believed. In bytes. */
const GAP_MAX = 64 * 2 ** 30;
const STREAM_MAX = 2 ** 40;
/** A line that begins further back is told from here on. In bytes. */
const UNFINISHED_MAX = 64 * 1024;

type Stream = { readonly path: string; size: number; stampedAt: number; fd: number | null };

export type LogStore = {
  /**
   * Bytes of a stream from `offset`; returns the part that was new. Whole or not at all: what throws (a full disk, bytes that do not follow,
   * a stream that is not allowed) has changed nothing, and comes again after the link does.
   */
  readonly write: (host: string, stream: string, offset: number, data: Uint8Array, at: number) => Uint8Array;
  /** These bytes do not exist any more. Must follow what is there, as `write`. */
  readonly gap: (host: string, stream: string, from: number, to: number, why: string, at?: number) => void;
  /** Bytes on disk of one stream; 0 for one that is not there. */
  readonly size: (host: string, stream: string) => number;
  /** Stream → bytes on disk, of one host. */
  readonly cursors: (host: string) => Record<string, number>;
  /** The line that the stream had begun before its last `fresh` bytes, without those. */
  readonly unfinished: (host: string, stream: string, fresh: number) => Uint8Array;
  readonly close: () => void;
};

/** Stream names come from a host: only our own shapes are taken. */
const STREAM = /^a([1-9]\d{0,2})\/(rank(?:0|[1-9]\d{0,4})\.(?:out|err|nccl)|launcher\.(?:out|err))$/;
export const isStream = (stream: string): boolean => STREAM.test(stream);

export function openLogStore(dir: string, allowed: (host: string, stream: string) => boolean = () => true): LogStore {
  const known = new Map<string, Stream>();
  const opened = new Set<Stream>(); // the one used longest ago comes first

  const pathOf = (host: string, stream: string): string => {
    const [attempt = "", file = ""] = stream.split("/");
    return join(dir, attempt, encodeURIComponent(host), file);
  };
  const get = (host: string, stream: string): Stream & { fd: number } => {
    if (!isStream(stream) || !allowed(host, stream)) throw new RangeError(`${host} sent ${JSON.stringify(stream.slice(0, 64))}, which is no stream of it`);
    const key = `${host}\n${stream}`;
    const file = known.get(key) ?? { path: pathOf(host, stream), size: 0, stampedAt: Number.NEGATIVE_INFINITY, fd: null };
    if (file.fd === null) {
      if (!known.has(key)) mkdirSync(dirname(file.path), { recursive: true, mode: 0o700 });
      for (const oldest of opened) if (opened.size >= OPEN_MAX) shut(oldest);
      file.fd = openSync(file.path, "a+", 0o600);
      file.size = fstatSync(file.fd).size;
      known.set(key, file);
    }
    opened.delete(file);
    opened.add(file);
    return file as Stream & { fd: number };
  };
  const shut = (file: Stream): void => {
    if (file.fd !== null) closeSync(file.fd);
    file.fd = null;
    opened.delete(file);
  };

  /** Throws unless `from` follows what is there and `to` may be. */
  const check = (file: Stream, from: number, to: number): void => {
    if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || from < 0 || to > STREAM_MAX) throw new RangeError(`a log of ${to} bytes is not believed`);
    if (from > file.size) throw new Error(`log bytes from ${from} on came, but those from ${file.size} on are due`);
  };

  return {
    gap: (host, stream, from, to, why, at = Date.now()) => {
      const file = get(host, stream);
      check(file, from, to);
      if (to <= file.size) return;
      if (to - file.size > GAP_MAX) throw new RangeError(`a gap of ${to - file.size} bytes is not believed`);
      // On record before the hole is there: bytes that never came are never taken for zeros.
      appendLine(join(dirname(file.path), "gaps.jsonl"), JSON.stringify({ stream, from: file.size, to, why, at }));
      ftruncateSync(file.fd, to);
      file.size = to;
    },
    size: (host, stream) => {
      if (!isStream(stream)) return 0;
      return known.get(`${host}\n${stream}`)?.size ?? statSync(pathOf(host, stream), { throwIfNoEntry: false })?.size ?? 0;
    },
    write: (host, stream, offset, data, at) => {
      const file = get(host, stream);
      check(file, offset, offset + data.length);
      const fresh = data.subarray(Math.max(0, file.size - offset));
      if (fresh.length === 0) return fresh;
      if (Math.abs(at - file.stampedAt) >= STAMP_MS) {
        appendLine(`${file.path}.at`, `${file.size} ${at}`);
        file.stampedAt = at;
      }
      try {
        appendWhole(file.fd, fresh, file.size);
      } finally {
        file.size = fstatSync(file.fd).size;
      }
      return fresh;
    },
    cursors: (host) => {
      const found: Record<string, number> = {};
      for (const attempt of existsSync(dir) ? readdirSync(dir) : []) {
        const hostDir = join(dir, attempt, encodeURIComponent(host));
        for (const file of existsSync(hostDir) ? readdirSync(hostDir) : []) {
          if (isStream(`${attempt}/${file}`)) found[`${attempt}/${file}`] = statSync(join(hostDir, file)).size;
        }
      }
      return found;
    },
    unfinished: (host, stream, fresh) => {
      const file = get(host, stream);
      const end = Math.max(0, file.size - fresh);
      const before = Buffer.alloc(Math.min(end, UNFINISHED_MAX));
      const read = readSync(file.fd, before, 0, before.length, end - before.length);
      return before.subarray(Math.max(before.lastIndexOf(10), before.lastIndexOf(0)) + 1, read); // 0: the hole of a gap
    },
    close: () => {
      for (const file of [...opened]) shut(file);
      known.clear();
    },
  };
}

/** All bytes or none: what a full disk took in part is cut off again. */
function appendWhole(fd: number, bytes: Uint8Array, size: number): void {
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
  } catch (error) {
    ftruncateSync(fd, size);
    throw error;
  }
}

function appendLine(path: string, line: string): void {
  const fd = openSync(path, "a", 0o600);
  try {
    appendWhole(fd, Buffer.from(`${line}\n`), fstatSync(fd).size);
  } finally {
    closeSync(fd);
  }
}
