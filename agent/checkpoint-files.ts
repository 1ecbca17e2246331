/** Reads and writes files of checkpoints for hosts that lack them. Beneath the directory of checkpoints only; no link is followed. */

import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, lstat, mkdir, open, rename, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isInside } from "../cluster/checkpoint/scan.ts";
import { fail, NexaError } from "../cluster/errors.ts";
import { CHECKPOINT_PIECE, type CheckpointPiece, type Command } from "../cluster/protocol.ts";
import { noteBrought } from "./checkpoint-brought.ts";
import { checkpointRoot } from "./checkpoint-scan.ts";
import { syncDir } from "./durable-file.ts";
import type { Run } from "./run.ts";

type Order<K extends Command["do"]> = Extract<Command, { do: K }>;

/** Deterministic, so that a delivery that was cut off is written over, not left beside the next. */
const partOf = (path: string): string => `${path}.nexadist-part`;

/** Errors: CHECKPOINT_FILE. */
export const readPiece = ({ root, path, offset }: Order<"checkpoint-read">): Promise<CheckpointPiece> =>
  guarded(path, async () => readPieceOf(await placeOf(root, path, false), offset));

/** Errors: what the file system says. */
export async function readPieceOf(path: string, offset: number): Promise<CheckpointPiece> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const info = await file.stat({ bigint: true });
    if (!info.isFile()) throw new Error("is no regular file");
    const data = Buffer.alloc(CHECKPOINT_PIECE);
    const { bytesRead } = await file.read(data, 0, data.length, offset);
    return { data: data.toString("base64", 0, bytesRead), size: Number(info.size), id: idOf(info) };
  } finally {
    await file.close();
  }
}

/** Errors: CHECKPOINT_FILE. */
export const writePiece = ({ root, path, offset, data }: Order<"checkpoint-write">): Promise<Record<string, never>> =>
  guarded(path, async () => {
    const begins = offset === 0 ? constants.O_CREAT | constants.O_TRUNC : 0;
    const file = await open(partOf(await placeOf(root, path, offset === 0)), constants.O_WRONLY | constants.O_NOFOLLOW | begins, 0o644);
    try {
      const bytes = Buffer.from(data, "base64");
      for (let done = 0; done < bytes.length; ) done += (await file.write(bytes, done, bytes.length - done, offset + done)).bytesWritten;
    } finally {
      await file.close();
    }
    return {};
  });

/** Errors: CHECKPOINT_FILE. */
export const sealFile = (run: Run, { root, path, size, sha256, attempt }: Order<"checkpoint-seal">): Promise<Record<string, never>> =>
  guarded(path, async () => {
    const place = await placeOf(root, path, false);
    const part = partOf(place);
    if (sha256 === null) {
      await unlink(part).catch(() => undefined);
      return {};
    }
    const file = await open(part, constants.O_RDONLY | constants.O_NOFOLLOW);
    let id: string;
    try {
      const info = await file.stat({ bigint: true });
      if (Number(info.size) !== size || (await hashOf(file)) !== sha256) throw new Error("what came is not what was sent");
      await file.sync();
      id = idOf(info);
    } finally {
      await file.close();
    }
    noteBrought(run, place, id, attempt); // first: in its place it would be taken for what the last attempt saved
    await rename(part, place);
    syncDir(dirname(place));
    return {};
  });

const idOf = (info: { readonly ino: bigint; readonly mtimeNs: bigint; readonly size: bigint }): string => `${info.ino}:${info.mtimeNs}:${info.size}`;

async function hashOf(file: FileHandle): Promise<string> {
  const hash = createHash("sha256");
  for await (const data of file.createReadStream({ autoClose: false, start: 0, highWaterMark: 1024 * 1024 })) hash.update(data as Buffer);
  return hash.digest("hex");
}

/** The directories above it are made where `makes`; one that is a link is refused. The root itself may be a link: its owner chose it. */
async function placeOf(root: string, path: string, makes: boolean): Promise<string> {
  if (!isInside(path)) throw new Error("leads out of the directory of checkpoints");
  const base = checkpointRoot(root);
  if (makes) await mkdir(base, { recursive: true });
  let here = base;
  for (const part of path.split("/").slice(0, -1)) {
    here = join(here, part);
    if (makes) await mkdir(here).catch((error: NodeJS.ErrnoException) => (error.code === "EEXIST" ? undefined : Promise.reject(error)));
    if (!(await lstat(here)).isDirectory()) throw new Error(`${here} is no directory`);
  }
  return join(base, path);
}

async function guarded<T>(path: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (error instanceof NexaError) throw error;
    throw fail("CHECKPOINT_FILE", { path, why: error instanceof Error ? error.message : String(error) }, error);
  }
}
