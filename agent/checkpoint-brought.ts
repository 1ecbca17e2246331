/** Which files of checkpoints came from another host, and which attempt had saved them: their own times would tell another story. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { writeDurable } from "./durable-file.ts";
import type { Run } from "./run.ts";

/** Absolute path → what it was when it came. A file that has changed since is not that one any more. */
export type Brought = Readonly<Record<string, { readonly id: string; readonly attempt: number }>>;

const pathOf = (run: Run): string => join(run.dir, "checkpoints.json");

export function broughtFiles(run: Run): Brought {
  try {
    return JSON.parse(readFileSync(pathOf(run), "utf8")) as Brought;
  } catch {
    return {};
  }
}

export const noteBrought = (run: Run, path: string, id: string, attempt: number): void =>
  writeDurable(pathOf(run), JSON.stringify({ ...broughtFiles(run), [path]: { id, attempt } }));
