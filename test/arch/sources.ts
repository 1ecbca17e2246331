/** The files of this repository as its rules see them: tracked or about to be, never what is generated. */

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

const listed = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "-z"], { cwd: root, encoding: "utf8" });

/** Paths relative to the root; a file that was deleted and not yet committed is none. */
export const allFiles: readonly string[] = listed
  .split("\0")
  .filter((path) => path !== "" && existsSync(join(root, path)))
  .sort();

export const read = (path: string): string => readFileSync(join(root, path), "utf8");

/** A program without an extension is known by its first line. */
const isScript = (path: string): boolean => extname(path) === "" && read(path).startsWith("#!");

export const typescriptFiles: readonly string[] = allFiles.filter((path) => /\.(ts|tsx)$/.test(path));
export const sourceFiles: readonly string[] = allFiles.filter((path) => /\.(ts|tsx|mjs|py|sh)$/.test(path) || isScript(path));

/** Comments and strings blanked is more than these rules need: they look at lines and say which. */
export function* linesOf(path: string): Generator<{ readonly number: number; readonly text: string }> {
  let number = 0;
  for (const text of read(path).split("\n")) {
    number += 1;
    yield { number, text };
  }
}
