/** `cp --dry-run`: what would be copied, where to, and what it would replace; reads only, on both sides. */

import { lstat, readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { fail } from "../../cluster/errors.ts";
import { formatBytes } from "../../cluster/view/bytes.ts";
import { joinRemote, lastPart, remoteWord } from "./cp-paths.ts";
import { ask, type CopyPeer } from "./cp-upload.ts";

export type Kind = "file" | "directory" | "none";
/** `files` and `bytes` of the source, `there`: what is at the target now. */
export type CopyPlan = {
  readonly from: string;
  readonly to: string;
  readonly kind: Kind;
  readonly files: number;
  readonly bytes: number;
  readonly there: Kind;
};
type Seen = { readonly kind: Kind; readonly files: number; readonly bytes: number };

const NONE: Seen = { kind: "none", files: 0, bytes: 0 };

async function seeLocal(path: string): Promise<Seen> {
  const found = await stat(path).catch(() => null);
  if (found === null) return NONE;
  if (!found.isDirectory()) return { kind: "file", files: 1, bytes: found.size };
  let files = 0;
  let bytes = 0;
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    files += 1;
    bytes += (await lstat(join(entry.parentPath, entry.name))).size;
  }
  return { kind: "directory", files, bytes };
}

/** `wantsSize`: only of sources. A directory's is what its disk says, for every tool that counts bytes is missing somewhere. */
async function seeRemote(peer: CopyPeer, path: string, wantsSize: boolean): Promise<Seen> {
  const script = [
    `t=${remoteWord(path)}`,
    `if test -d "$t"; then echo directory; ${wantsSize ? `cd "$t" && find . -type f -print0 | tr -dc '\\0' | wc -c; du -sk . | tr '\\t' ' ' | cut -d ' ' -f 1` : ":"}`,
    `elif test -e "$t"; then echo file; ${wantsSize ? 'echo 1; wc -c <"$t"' : ":"}`,
    "else echo none; fi\n",
  ].join("\n");
  const [word = "", files, size] = (await ask(peer, script)).trim().split("\n");
  const kind = word === "directory" || word === "file" ? word : "none";
  return { kind, files: Number(files ?? 0), bytes: Number(size ?? 0) * (kind === "directory" ? 1024 : 1) };
}

/** Errors: COPY_REFUSED for a source that is not there and a target that cannot take it, as the copy itself would. */
export async function planCopies(peer: CopyPeer, sources: readonly string[], target: string, isUpload: boolean): Promise<readonly CopyPlan[]> {
  const here = (path: string): Promise<Seen> => seeLocal(path);
  const source = isUpload ? here : (path: string) => seeRemote(peer, path, true);
  const there = isUpload ? (path: string) => seeRemote(peer, path, false) : here;
  const into = await there(target);
  const wantsDirectory = sources.length > 1 || target.endsWith("/");
  if (wantsDirectory && into.kind === "file") throw fail("COPY_REFUSED", { what: `${target} is not a directory` });
  const plans: CopyPlan[] = [];
  for (const from of sources) {
    const seen = await source(from);
    if (seen.kind === "none") throw fail("COPY_REFUSED", { what: `cannot read ${isUpload ? from : `${peer.host.name}:${from}`}` });
    const name = isUpload ? basename(from) : lastPart(from);
    const isInside = wantsDirectory || into.kind === "directory";
    const to = !isInside ? target : isUpload ? joinRemote(target, name === "." ? "" : name) : join(target, name);
    const before = (await there(to)).kind;
    if (before !== "none" && before !== seen.kind) throw fail("COPY_REFUSED", { what: `${to} is a ${before} there, ${from} is a ${seen.kind}` });
    plans.push({ from, to, ...seen, there: before });
  }
  return plans;
}

export function planWords({ kind, files, bytes, there }: CopyPlan): string {
  const what = kind === "file" ? "" : `${files} file${files === 1 ? "" : "s"}, `;
  const replaced = there === "none" ? "" : there === "file" ? "; replaces the file there" : "; into the directory there";
  return `${what}${formatBytes(bytes)}${replaced}`;
}
