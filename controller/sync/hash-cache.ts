/** Remembers the sha256 of files by path, size, mtime and inode, so that a second snapshot reads only what changed. */

import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";

export type FileMark = { readonly path: string; readonly size: number; readonly mtimeNs: bigint; readonly inode: bigint };
export type HashCache = {
  readonly get: (mark: FileMark) => string | undefined;
  readonly put: (mark: FileMark, sha256: string) => void;
  readonly save: () => Promise<void>;
};

/** A file written this recently could change again within one tick of its clock: its hash is not remembered. */
const RACY_NS = 2_000_000_000n;

const keyOf = (m: FileMark): string => `${m.size}:${m.mtimeNs}:${m.inode}`;

const cacheFile = z.array(z.tuple([z.string(), z.record(z.string(), z.tuple([z.string(), z.string().regex(/^[0-9a-f]{64}$/)]))]));

/** Directories that one cache file remembers; the one used longest ago goes first. */
const ROOTS = 32;

type Marks = Readonly<Record<string, readonly [string, string]>>;

/** `file` null: remembers nothing. A broken cache file is an empty cache. `root`: the directory that the paths are relative to. */
export async function openHashCache(file: string | null, root: string, nowMs: number): Promise<HashCache> {
  const old = file === null ? [] : await readFile(file, "utf8").then(parse, () => []);
  const known = new Map(Object.entries(old.find(([name]) => name === root)?.[1] ?? {}));
  const used = new Map<string, readonly [string, string]>();
  const isRacy = (m: FileMark): boolean => BigInt(Math.trunc(nowMs)) * 1_000_000n - m.mtimeNs < RACY_NS;
  return {
    get: (mark) => {
      const entry = known.get(mark.path);
      if (entry === undefined || entry[0] !== keyOf(mark)) return undefined;
      used.set(mark.path, entry);
      return entry[1];
    },
    put: (mark, sha256) => {
      if (!isRacy(mark)) used.set(mark.path, [keyOf(mark), sha256]);
    },
    save: async () => {
      if (file === null) return;
      await mkdir(dirname(file), { recursive: true, mode: 0o700 });
      const temporary = `${file}.${process.pid}.tmp`;
      await writeFile(temporary, JSON.stringify([[root, Object.fromEntries(used)], ...old.filter(([name]) => name !== root)].slice(0, ROOTS)), { mode: 0o600 });
      await rename(temporary, file);
    },
  };
}

function parse(text: string): readonly (readonly [string, Marks])[] {
  try {
    return cacheFile.parse(JSON.parse(text));
  } catch {
    return [];
  }
}
