/** Runs as they lie on the controller's disk. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { replay } from "../../cluster/run/reduce.ts";
import type { RunState } from "../../cluster/run/state.ts";
import { runDir, runsDir } from "../paths.ts";
import { type JournalLine, readLines } from "./journal.ts";

export function runNames(): readonly string[] {
  try {
    return readdirSync(runsDir());
  } catch {
    return [];
  }
}

export const storedRuns = (): { run: string; lines: JournalLine[] }[] => runNames().map((run) => ({ run, lines: readStored(run) }));

export function readStored(run: string): JournalLine[] {
  try {
    return readLines(readFileSync(join(runDir(run), "journal.jsonl"))).lines;
  } catch {
    return [];
  }
}

/** null: no run, or one whose journal this version cannot fold. */
export function fold(lines: readonly JournalLine[]): RunState | null {
  try {
    return replay(lines.map((line) => line.event));
  } catch {
    return null;
  }
}
