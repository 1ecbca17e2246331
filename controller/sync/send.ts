/** Puts a snapshot on one host over its link: asks what is missing, streams those files, commits the tree. */

import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { fail } from "../../cluster/errors.ts";
import { packFrame } from "../../cluster/frame.ts";
import { type Authority, type Command, FRAME_DATA, type SnapshotEntry } from "../../cluster/protocol.ts";
import type { Snapshot } from "./snapshot.ts";

export type SyncLink = { readonly command: (command: Command) => Promise<unknown>; readonly send: (frame: Uint8Array) => Promise<void> };
/** A tree that can be sent. `bytesOf`: the contents of one of its files, in pieces of at most FRAME_DATA; a piece may be overwritten once the next is asked for. */
export type Code = Pick<Snapshot, "entries" | "tree"> & { readonly bytesOf: (entry: SnapshotEntry) => AsyncIterable<Uint8Array> };
export type SyncProgress = (sentBytes: number, totalBytes: number) => void;

/** Hashes asked for in one command: 8,000 of 67 bytes fit MAX_FRAME. */
const OFFER = 8000;
/** A longer list of files travels as a blob. In bytes. */
const INLINE_LIST = 256 * 1024;

const offerReply = z.object({ missing: z.array(z.string()) });
const commitReply = z.object({ dir: z.string() });

/** `send` resolves when the link can take more. Errors: CODE_CHANGED, and the host's own refusals. */
export async function syncHost(
  link: SyncLink,
  authority: Authority & { readonly run: string },
  code: Code,
  progress: SyncProgress = () => undefined,
): Promise<{ dir: string }> {
  const { run, epoch, controller } = authority;
  const fence = { run, epoch, controller };
  const byHash = new Map<string, SnapshotEntry>();
  for (const entry of code.entries) if (entry.sha256 !== undefined && !byHash.has(entry.sha256)) byHash.set(entry.sha256, entry);
  const missing = await offer(link, fence, [...byHash.keys()]);
  const wanted = missing.map((sha256) => byHash.get(sha256)).filter((entry) => entry !== undefined);
  const total = wanted.reduce((sum, entry) => sum + entry.size, 0);
  let sent = 0;
  progress(sent, total);
  for (const entry of wanted) {
    await sendFile(link, run, code, entry, (bytes) => {
      sent += bytes;
      progress(sent, total);
    });
  }
  const list = Buffer.from(JSON.stringify(code.entries));
  const manifest = list.length > INLINE_LIST ? createHash("sha256").update(list).digest("hex") : undefined;
  if (manifest !== undefined && (await offer(link, fence, [manifest])).length > 0) await sendBuffer(link, run, manifest, list);
  const entries = manifest === undefined ? { entries: [...code.entries] } : { entries: [], manifest };
  const reply = await link.command({ do: "sync-commit", ...fence, ...entries, tree: code.tree });
  return { dir: commitReply.parse(reply).dir };
}

/** What the host lacks of these, asked in frames that fit. */
async function offer(link: SyncLink, fence: Authority & { readonly run: string }, hashes: readonly string[]): Promise<string[]> {
  const missing: string[] = [];
  for (let k = 0; k < hashes.length; k += OFFER) {
    missing.push(...offerReply.parse(await link.command({ do: "sync-offer", ...fence, hashes: hashes.slice(k, k + OFFER) })).missing);
  }
  return missing;
}

async function sendBuffer(link: SyncLink, run: string, sha256: string, bytes: Buffer): Promise<void> {
  for (let offset = 0; offset < bytes.length; offset += FRAME_DATA) {
    await link.send(packFrame({ t: "blob", run, sha256, offset, size: bytes.length }, bytes.subarray(offset, offset + FRAME_DATA)));
  }
}

/** One blob in frames; an empty file is one empty frame. Never sends a last byte that makes a wrong blob complete. */
async function sendFile(link: SyncLink, run: string, code: Code, { path, size, sha256, ...rest }: SnapshotEntry, sent: (bytes: number) => void): Promise<void> {
  if (sha256 === undefined) return;
  const hash = createHash("sha256");
  let offset = 0;
  for await (const data of code.bytesOf({ path, size, sha256, ...rest })) {
    hash.update(data);
    const end = offset + data.length;
    if (end > size || (end === size && hash.copy().digest("hex") !== sha256)) throw fail("CODE_CHANGED", { path });
    await link.send(packFrame({ t: "blob", run, sha256, offset, size }, data)); // packFrame copies: the buffer is free again
    offset = end;
    sent(data.length);
  }
  if (offset !== size) throw fail("CODE_CHANGED", { path });
}

/** As the files lie on this machine. Errors: CODE_CHANGED. */
export const fromDisk = ({ entries, tree, root }: Pick<Snapshot, "entries" | "tree" | "root">): Code => ({
  entries,
  tree,
  bytesOf: async function* ({ path, size }) {
    const file = await open(join(root, path), constants.O_RDONLY | constants.O_NOFOLLOW).catch((cause: unknown) => {
      throw fail("CODE_CHANGED", { path }, cause);
    });
    try {
      const buffer = Buffer.allocUnsafe(FRAME_DATA);
      let offset = 0;
      do {
        const { bytesRead } = await file.read(buffer, 0, Math.min(FRAME_DATA, size - offset), offset);
        if (bytesRead === 0 && size > 0) return; // shorter than it was
        yield buffer.subarray(0, bytesRead);
        offset += bytesRead;
      } while (offset < size);
    } finally {
      await file.close();
    }
  },
});
