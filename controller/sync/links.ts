/** Whether a symbolic link may travel: only when it stays inside the snapshot, on this machine and on any other. */

import { realpath } from "node:fs/promises";
import { dirname, join, posix } from "node:path";

/** null: it may; else why not. `path` is relative to `root`, whose real path is `realRoot`. */
export async function linkProblem(root: string, realRoot: string, path: string, target: string): Promise<string | null> {
  if (target === "" || target.includes("\0")) return "its target is empty";
  if (posix.isAbsolute(target)) return `it points to the absolute path ${target}`;
  const lexical = posix.normalize(posix.join(posix.dirname(path), target));
  if (lexical === ".." || lexical.startsWith("../")) return `it points outside, to ${target}`;
  // Through other links it may still lead outside. A dangling one is judged by its text alone.
  const real = await realpath(join(root, dirname(path), target)).catch(() => null);
  if (real !== null && real !== realRoot && !real.startsWith(`${realRoot}/`)) return `it leads outside, to ${real}`;
  return null;
}
