/** Takes the snapshot of a directory that travels to the hosts: which files, their hashes, and what was left out and why. */

import { createHash } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import { lstat, open, readlink, realpath } from "node:fs/promises";
import { join } from "node:path";
import { fail } from "../../cluster/errors.ts";
import type { SnapshotEntry } from "../../cluster/protocol.ts";
import { sortEntries, treeText } from "../../cluster/tree.ts";
import { gitRuleFor, listByGit } from "./git-list.ts";
import { type FileMark, type HashCache, openHashCache } from "./hash-cache.ts";
import { type KeptOut, keepOut, refuseWide } from "./keep-out.ts";
import { linkProblem } from "./links.ts";
import { IGNORE_FILE, readRules, ruleFor } from "./rules.ts";
import { USUAL_EXCLUDES, walk } from "./walk.ts";

const MIB = 1024 * 1024;

export type SnapshotLimits = { readonly totalBytes: number; readonly files: number; readonly fileBytes: number };
export const LIMITS: SnapshotLimits = { totalBytes: 512 * MIB, files: 50_000, fileBytes: 100 * MIB };

export type Snapshot = {
  readonly root: string;
  readonly entries: readonly SnapshotEntry[];
  readonly tree: string;
  readonly totalBytes: number;
  /** What was left out although it is there, with the reason; and names that collide where case does not count. */
  readonly notes: readonly string[];
};

export type SnapshotOptions = {
  readonly limits?: SnapshotLimits;
  /** File that remembers hashes between snapshots; null: none. */
  readonly cacheFile?: string | null;
  /** Paths relative to root that must be in it: the job's script. */
  readonly mustHold?: readonly string[];
  /** Files and directories that never travel (absolute). */
  readonly keptOut?: readonly KeptOut[];
  readonly nowMs?: number;
};

/** Errors: CODE_ROOT, CODE_TOO_WIDE, CODE_TOO_LARGE, CODE_EXCLUDED. */
export async function takeSnapshot(root: string, options: SnapshotOptions = {}): Promise<Snapshot> {
  const limits = options.limits ?? LIMITS;
  const realRoot = await realpath(root).catch((cause: unknown) => {
    throw fail("CODE_ROOT", { root }, cause);
  });
  if (!(await lstat(realRoot)).isDirectory()) throw fail("CODE_ROOT", { root });
  await refuseWide(realRoot);
  const tracked = await listByGit(realRoot);
  const rules = await readRules(realRoot, tracked === null ? USUAL_EXCLUDES : []);
  const notes: string[] = [];
  const ruled = (tracked ?? (await walk(realRoot, rules, limits.files))).filter((path) => ruleFor(rules, path) === null);
  const listed = await keepOut(realRoot, ruled, options.keptOut ?? [], notes);
  if (listed.length > limits.files) throw fail("CODE_TOO_LARGE", { root, what: `${listed.length} files, more than ${limits.files}`, largest: crowded(listed) });
  for (const path of listed) if (path.endsWith(`/${IGNORE_FILE}`)) notes.push(`${path} is not read: put its lines into ${IGNORE_FILE} of ${realRoot}`);
  const files = await look(realRoot, listed, notes);
  refuseLarge(root, files, limits);
  const cache = await openHashCache(options.cacheFile ?? null, realRoot, options.nowMs ?? Date.now());
  const entries = sortEntries(await mapLimited(files, 8, (file) => entryOf(realRoot, file, cache)));
  await cache.save();
  for (const path of options.mustHold ?? []) await mustHold(realRoot, rules, entries, path);
  return {
    root: realRoot,
    entries,
    tree: createHash("sha256").update(treeText(entries)).digest("hex"),
    totalBytes: entries.reduce((sum, e) => sum + e.size, 0),
    notes: [...notes, ...collisions(entries)],
  };
}

type Found = { readonly path: string; readonly mark: FileMark; readonly mode: number; readonly link?: string };

async function look(root: string, paths: readonly string[], notes: string[]): Promise<readonly Found[]> {
  const parents = new Map<string, Promise<boolean>>();
  const isBeneath = (path: string): Promise<boolean> => {
    const cut = path.lastIndexOf("/");
    if (cut < 0) return Promise.resolve(true);
    const dir = path.slice(0, cut);
    let known = parents.get(dir);
    if (known === undefined) {
      const stays = lstat(join(root, dir)).then(
        (s) => s.isDirectory(),
        () => false,
      );
      known = isBeneath(dir).then((above) => above && stays); // a directory that became a link since git saw it
      parents.set(dir, known);
    }
    return known;
  };
  const found = await mapLimited(paths, 16, async (path): Promise<Found | null> => {
    const stat = await lstat(join(root, path), { bigint: true }).catch(() => null);
    if (stat === null || !(await isBeneath(path))) return null; // deleted, not yet staged
    const mark = { path, size: Number(stat.size), mtimeNs: stat.mtimeNs, inode: stat.ino };
    if (stat.isFile()) return { path, mark, mode: (stat.mode & 0o111n) === 0n ? 0o644 : 0o755 };
    if (!stat.isSymbolicLink()) {
      notes.push(`${path} is left out: it is neither a file nor a link`);
      return null;
    }
    const link = await readlink(join(root, path));
    const why = await linkProblem(root, root, path, link);
    if (why !== null) notes.push(`${path} is left out: ${why}`);
    return why === null ? { path, mark: { ...mark, size: 0 }, mode: 0o644, link } : null;
  });
  return found.filter((f) => f !== null);
}

async function entryOf(root: string, file: Found, cache: HashCache): Promise<SnapshotEntry> {
  if (file.link !== undefined) return { path: file.path, mode: file.mode, size: 0, link: file.link };
  let sha256 = cache.get(file.mark);
  if (sha256 === undefined) {
    sha256 = await hashFile(join(root, file.path));
    cache.put(file.mark, sha256);
  }
  return { path: file.path, mode: file.mode, size: file.mark.size, sha256 };
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  for await (const chunk of createReadStream(path, { fd: file, autoClose: true })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

const inMiB = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`;

function refuseLarge(root: string, files: readonly Found[], limits: SnapshotLimits): void {
  const bySize = [...files].sort((a, b) => b.mark.size - a.mark.size);
  const total = files.reduce((sum, f) => sum + f.mark.size, 0);
  const largest = bySize.slice(0, 3).map((f) => `${f.path} (${inMiB(f.mark.size)})`);
  const [first] = bySize;
  if (first !== undefined && first.mark.size > limits.fileBytes)
    throw fail("CODE_TOO_LARGE", { root, what: `a file larger than ${inMiB(limits.fileBytes)}`, largest: largest[0] ?? "" });
  if (total > limits.totalBytes)
    throw fail("CODE_TOO_LARGE", { root, what: `${inMiB(total)}, more than ${inMiB(limits.totalBytes)}`, largest: largest.join(", ") });
}

/** The top directory that holds most files. */
function crowded(paths: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const path of paths) {
    const top = path.includes("/") ? `${path.split("/", 1)[0]}/` : "the directory itself";
    counts.set(top, (counts.get(top) ?? 0) + 1);
  }
  const [name, count] = [...counts].sort((a, b) => b[1] - a[1])[0] ?? ["", 0];
  return `${name} (${count} files)`;
}

async function mustHold(root: string, rules: Parameters<typeof ruleFor>[0], entries: readonly SnapshotEntry[], path: string): Promise<void> {
  if (entries.some((e) => e.path === path)) return;
  const exists = await lstat(join(root, path)).then(
    () => true,
    () => false,
  );
  if (!exists) throw fail("CODE_EXCLUDED", { path, root, why: "there is no such file" });
  throw fail("CODE_EXCLUDED", { path, root, why: ruleFor(rules, path) ?? (await gitRuleFor(root, path)) ?? "it is not a plain file inside the directory" });
}

/** Two names that are one on a file system without case, or in another Unicode form. */
function collisions(entries: readonly SnapshotEntry[]): readonly string[] {
  const seen = new Map<string, string>();
  const notes: string[] = [];
  for (const { path } of entries) {
    const folded = path.normalize("NFC").toLowerCase();
    const other = seen.get(folded);
    if (other !== undefined) notes.push(`${other} and ${path} are one name where case does not count`);
    else seen.set(folded, path);
  }
  return notes;
}

async function mapLimited<A, B>(items: readonly A[], width: number, act: (item: A) => Promise<B>): Promise<B[]> {
  const results: B[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) {
      const item = items[index];
      if (item !== undefined) results[index] = await act(item);
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker));
  return results;
}
