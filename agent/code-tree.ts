/** Builds a run's own writable copy of its snapshot out of blobs. */

import { createHash } from "node:crypto";
import { constants, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { chmod, copyFile, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import * as z from "zod";
import { fail, NexaError } from "../cluster/errors.ts";
import { type CheckpointPiece, type Command, type SnapshotEntry, snapshotEntry } from "../cluster/protocol.ts";
import { treeText } from "../cluster/tree.ts";
import type { BlobStore } from "./blob-store.ts";
import { readPieceOf } from "./checkpoint-files.ts";
import { writeDurable } from "./durable-file.ts";
import type { Run } from "./run.ts";

import { treeProblem } from "./safe-path.ts";

const built = z.object({ tree: z.string(), entries: z.array(snapshotEntry) });

/** Which files are ours, and what was brought. */
const listOf = (run: Run): string => join(run.dir, "code.json");

/** For another controller than the one that brought it. Errors: CODE_ABSENT. */
export async function readCode(run: Run, blobs: BlobStore, { sha256, offset }: Extract<Command, { do: "read-code" }>): Promise<CheckpointPiece> {
  const isListed = sha256 === null || readBuilt(run)?.entries.some((entry) => entry.sha256 === sha256) === true;
  const piece = isListed ? await readPieceOf(sha256 === null ? listOf(run) : blobs.pathOf(sha256), offset).catch(() => null) : null;
  if (piece === null) throw fail("CODE_ABSENT", { run: run.run });
  return piece;
}

export const codeDir = (run: Run): string => join(run.dir, "code");

/** Twice is once. Errors: SYNC_UNSAFE, SYNC_TREE, SYNC_INCOMPLETE, HOST_WRITE. */
export async function commitTree(run: Run, blobs: BlobStore, entries: readonly SnapshotEntry[], tree: string): Promise<{ dir: string; tree: string }> {
  const dir = codeDir(run);
  if (existsSync(dir) && readBuilt(run)?.tree === tree) return { dir, tree };
  const problem = treeProblem(entries);
  if (problem !== null) throw fail("SYNC_UNSAFE", problem);
  if (createHash("sha256").update(treeText(entries)).digest("hex") !== tree) throw fail("SYNC_TREE");
  let missing = 0;
  for (const { link, sha256 = "", size } of entries) if (link === undefined && !(await blobs.verify(sha256, size))) missing += 1;
  if (missing > 0) throw fail("SYNC_INCOMPLETE", { missing });
  const temporary = `${dir}.new`;
  try {
    rmSync(temporary, { recursive: true, force: true });
    mkdirSync(temporary, { recursive: true, mode: 0o755 });
    await place(temporary, blobs, entries);
    rmSync(dir, { recursive: true, force: true });
    renameSync(temporary, dir);
    // Tells uninstall which files are ours; written last, so that a copy without it is built again.
    writeDurable(listOf(run), JSON.stringify({ tree, entries }));
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw error instanceof NexaError ? error : fail("HOST_WRITE", { path: dir, why: (error as Error).message }, error);
  }
  return { dir, tree };
}

function readBuilt(run: Run): z.infer<typeof built> | null {
  try {
    return built.parse(JSON.parse(readFileSync(listOf(run), "utf8")));
  } catch {
    return null;
  }
}

/** Links last, so that nothing is ever written through one. */
async function place(root: string, blobs: BlobStore, entries: readonly SnapshotEntry[]): Promise<void> {
  for (const { path, link, sha256 = "", mode } of entries) {
    if (link !== undefined) continue;
    const target = join(root, path);
    mkdirSync(dirname(target), { recursive: true, mode: 0o755 });
    await copyFile(blobs.pathOf(sha256), target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    await chmod(target, mode & 0o111 ? 0o755 : 0o644);
  }
  for (const { path, link } of entries) {
    if (link === undefined) continue;
    mkdirSync(dirname(join(root, path)), { recursive: true, mode: 0o755 });
    await symlink(link, join(root, path));
  }
}
