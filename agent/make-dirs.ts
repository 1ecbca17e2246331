/** mkdir -p by hand: Node's own never returns where a file system answers ENOENT for a directory whose parent is there (/proc, autofs). */

import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";

/** Errors: the system's, for the first directory that cannot be made. */
export function makeDirs(path: string, mode: number): void {
  const missing: string[] = [];
  for (let dir = path; !existsSync(dir) && dirname(dir) !== dir; dir = dirname(dir)) missing.push(dir);
  for (const dir of missing.reverse()) {
    try {
      mkdirSync(dir, { mode });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error; // another run's prepare was quicker
    }
  }
}
