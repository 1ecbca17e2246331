/** The files of a directory that git does not look after: all but what never belongs to code. */

import type { Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type Rules, ruleFor } from "./rules.ts";

/** Never part of a snapshot outside git; written as gitignore rules so that they can be named. */
export const USUAL_EXCLUDES = [
  ".git/",
  ".venv/",
  "venv/",
  "__pycache__/",
  "node_modules/",
  "*.pyc",
  ".mypy_cache/",
  ".pytest_cache/",
  ".ruff_cache/",
  ".DS_Store",
];

/** Stops with the list so far once more than `limit` files are found: the caller refuses. */
export async function walk(root: string, rules: Rules, limit: number): Promise<readonly string[]> {
  const found: string[] = [];
  const open = [""];
  while (open.length > 0 && found.length <= limit) {
    const dir = open.pop() ?? "";
    const entries: Dirent[] = await readdir(join(root, dir), { withFileTypes: true });
    for (const entry of entries) {
      const path = dir === "" ? entry.name : `${dir}/${entry.name}`;
      if (ruleFor(rules, entry.isDirectory() ? `${path}/` : path) !== null) continue;
      if (entry.isDirectory()) open.push(path);
      else found.push(path);
    }
  }
  return found;
}
