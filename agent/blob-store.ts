/** Contents by their sha256, shared by all runs of a home; a blob has its name only when its bytes are what the name says. */

import { createHash, type Hash, randomBytes } from "node:crypto";
import { closeSync, createReadStream, existsSync, mkdirSync, openSync, renameSync, statSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import { fail } from "../cluster/errors.ts";

type Incoming = { readonly fd: number; readonly path: string; readonly hash: Hash; size: number; at: number };

export type BlobStore = {
  readonly pathOf: (sha256: string) => string;
  readonly missing: (hashes: readonly string[]) => string[];
  /** Hashes what lies there, once in the life of an agent: the directory is not only ours to write. */
  readonly verify: (sha256: string, size: number) => Promise<boolean>;
  readonly receive: () => BlobReceiver;
};
export type BlobReceiver = {
  /** Pieces of one blob come in order; another order, a wrong length or hash drops the blob. Errors: HOST_WRITE. */
  readonly take: (sha256: string, offset: number, size: number, data: Uint8Array) => void;
  readonly close: () => void;
};

const isHash = (text: string): boolean => /^[0-9a-f]{64}$/.test(text);

export function openBlobStore(dir: string): BlobStore {
  /** "sha" → size, inode and time when it was hashed. */
  const verified = new Map<string, string>();
  const pathOf = (sha256: string): string => join(dir, sha256.slice(0, 2), sha256);
  const stamp = (path: string): string => {
    const { size, ino, mtimeMs } = statSync(path);
    return `${size} ${ino} ${mtimeMs}`;
  };

  const verify = async (sha256: string, size: number): Promise<boolean> => {
    if (!isHash(sha256)) return false;
    const path = pathOf(sha256);
    try {
      const now = stamp(path);
      if (verified.get(sha256) === now) return statSync(path).size === size;
      const hash = createHash("sha256");
      for await (const data of createReadStream(path, { highWaterMark: 1 << 18 })) hash.update(data as Buffer);
      if (hash.digest("hex") !== sha256) {
        unlinkSync(path);
        return false;
      }
      verified.set(sha256, now);
      return statSync(path).size === size;
    } catch {
      return false;
    }
  };

  const receive = (): BlobReceiver => {
    const incoming = new Map<string, Incoming>();
    const drop = (sha256: string, one: Incoming): void => {
      incoming.delete(sha256);
      closeSync(one.fd);
      if (existsSync(one.path)) unlinkSync(one.path);
    };
    const begin = (sha256: string, size: number): Incoming => {
      mkdirSync(join(dir, sha256.slice(0, 2)), { recursive: true, mode: 0o700 });
      const path = join(dir, sha256.slice(0, 2), `.new-${randomBytes(6).toString("hex")}`);
      const one = { fd: openSync(path, "wx", 0o600), path, hash: createHash("sha256"), size, at: 0 };
      incoming.set(sha256, one);
      return one;
    };
    return {
      take: (sha256, offset, size, data) => {
        if (!isHash(sha256)) return;
        let one = incoming.get(sha256);
        if (one !== undefined && offset === 0 && one.at > 0) drop(sha256, one);
        try {
          one = incoming.get(sha256) ?? (offset === 0 ? begin(sha256, size) : undefined);
          if (one === undefined) return;
          if (offset !== one.at || size !== one.size || offset + data.length > size) return drop(sha256, one);
          for (let at = 0; at < data.length; ) at += writeSync(one.fd, data, at);
          one.hash.update(data);
          one.at += data.length;
          if (one.at < size) return;
          if (one.hash.digest("hex") !== sha256) return drop(sha256, one);
          incoming.delete(sha256);
          closeSync(one.fd);
          renameSync(one.path, pathOf(sha256));
          verified.set(sha256, stamp(pathOf(sha256)));
        } catch (error) {
          if (one !== undefined && incoming.has(sha256)) drop(sha256, one);
          throw fail("HOST_WRITE", { path: dir, why: (error as Error).message }, error);
        }
      },
      close: () => {
        for (const [sha256, one] of incoming) drop(sha256, one);
      },
    };
  };

  return { pathOf, verify, receive, missing: (hashes) => hashes.filter((sha256) => isHash(sha256) && !existsSync(pathOf(sha256))) };
}
