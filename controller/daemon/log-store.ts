/**
 * The logs of one run on the controller's disk: one file a stream, its size is the cursor, so what came twice is dropped and what is
 * missing is a gap on record. logs/a1/HOST/rank3.out · rank3.out.at: lines "offset ms" (when bytes from there arrived) · gaps.jsonl
 */

import { closeSync, existsSync, fstatSync, ftruncateSync, mkdirSync, openSync, readdirSync, statSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";

/** Arrival times are kept at this grain. */
const STAMP_MS = 1000;

type Open = { readonly fd: number; readonly stamps: number; size: number; stampedAt: number };

export type LogStore = {
  /** Bytes of a stream from `offset`; returns the part that was new. Bytes beyond the end are a gap. */
  readonly write: (host: string, stream: string, offset: number, data: Uint8Array, at: number) => Uint8Array;
  readonly gap: (host: string, stream: string, from: number, to: number, why: string) => void;
  /** Bytes on disk of one stream. */
  readonly size: (host: string, stream: string) => number;
  /** Stream → bytes on disk, of one host. */
  readonly cursors: (host: string) => Record<string, number>;
  readonly close: () => void;
};

/** Stream names come from a host: only our own shapes are taken. */
const STREAM = /^a(\d+)\/(rank\d+\.(?:out|err|nccl)|launcher\.(?:out|err))$/;
export const isStream = (stream: string): boolean => STREAM.test(stream);

export function openLogStore(dir: string): LogStore {
  const open = new Map<string, Open>();
  const pathOf = (host: string, stream: string): string => {
    const [attempt = "", file = ""] = stream.split("/");
    return join(dir, attempt, encodeURIComponent(host), file);
  };
  const get = (host: string, stream: string): Open => {
    if (!isStream(stream)) throw new RangeError(`no such stream: ${stream}`);
    const key = `${host}\n${stream}`;
    const known = open.get(key);
    if (known !== undefined) return known;
    const path = pathOf(host, stream);
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const fd = openSync(path, "a", 0o600);
    const made = { fd, stamps: openSync(`${path}.at`, "a", 0o600), size: fstatSync(fd).size, stampedAt: 0 };
    open.set(key, made);
    return made;
  };
  const gap: LogStore["gap"] = (host, stream, from, to, why) => {
    const file = get(host, stream);
    if (to <= file.size) return;
    const fd = openSync(join(dirname(pathOf(host, stream)), "gaps.jsonl"), "a", 0o600);
    writeSync(fd, `${JSON.stringify({ stream, from: Math.max(from, file.size), to, why })}\n`);
    closeSync(fd);
    ftruncateSync(file.fd, to);
    file.size = to;
  };
  return {
    gap,
    size: (host, stream) => get(host, stream).size,
    write: (host, stream, offset, data, at) => {
      const file = get(host, stream);
      if (offset > file.size) gap(host, stream, file.size, offset, "not sent");
      const fresh = data.subarray(Math.max(0, file.size - offset));
      if (fresh.length === 0) return fresh;
      if (at - file.stampedAt >= STAMP_MS) {
        writeSync(file.stamps, `${file.size} ${at}\n`);
        file.stampedAt = at;
      }
      let done = 0;
      while (done < fresh.length) done += writeSync(file.fd, fresh, done);
      file.size += fresh.length;
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
    close: () => {
      for (const { fd, stamps } of open.values()) {
        closeSync(fd);
        closeSync(stamps);
      }
      open.clear();
    },
  };
}
