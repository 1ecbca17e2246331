/** Which paths and links a snapshot may have: all of it stays beneath the directory it is built in. Pure. */

import type { SnapshotEntry } from "../cluster/protocol.ts";

const SEGMENT_MAX = 255;

/** Why this path cannot be placed, or null. */
export function pathProblem(path: string): string | null {
  if (path === "") return "it is empty";
  if (path.startsWith("/")) return "it is absolute";
  if (path.includes("\0")) return "it holds a NUL";
  for (const segment of path.split("/")) {
    if (segment === "" || segment === "." || segment === "..") return `it holds the segment "${segment}"`;
    if (Buffer.byteLength(segment) > SEGMENT_MAX) return "a name in it is too long";
  }
  return null;
}

/** Why a link at `path` may not point to `target`, or null: relative and, resolved by text, beneath the root. */
export function linkProblem(path: string, target: string): string | null {
  if (target === "" || target.includes("\0")) return "its target is empty or holds a NUL";
  if (target.startsWith("/")) return "it points to an absolute path";
  let depth = path.split("/").length - 1;
  for (const segment of target.split("/")) {
    if (segment === "..") depth -= 1;
    else if (segment !== "" && segment !== ".") depth += 1;
    if (depth < 0) return "it points out of the code";
  }
  return null;
}

/**
 * The first entry that cannot be placed, or null. No path twice, none beneath a file or a link; and no link through another link:
 * by text alone nobody could say where that leads.
 */
export function treeProblem(entries: readonly SnapshotEntry[]): { readonly path: string; readonly why: string } | null {
  const kinds = new Map<string, "file" | "link">();
  for (const { path, link, sha256 } of entries) {
    const why = pathProblem(path) ?? (link === undefined ? null : linkProblem(path, link)) ?? (kinds.has(path) ? "it is there twice" : null);
    if (why !== null) return { path, why };
    if (link === undefined && !/^[0-9a-f]{64}$/.test(sha256 ?? "")) return { path, why: "it has no hash" };
    kinds.set(path, link === undefined ? "file" : "link");
  }
  for (const { path, link } of entries) {
    for (const parent of parents(path)) if (kinds.has(parent)) return { path, why: `${parent} is no directory` };
    if (link === undefined) continue;
    const through = link.split("/").slice(0, -1);
    const base = path.split("/").slice(0, -1);
    for (const segment of through) {
      if (segment === "..") base.pop();
      else if (segment !== "" && segment !== ".") base.push(segment);
      if (kinds.get(base.join("/")) === "link") return { path, why: `it points through the link ${base.join("/")}` };
    }
  }
  return null;
}

function* parents(path: string): Generator<string> {
  for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) yield path.slice(0, at);
}
