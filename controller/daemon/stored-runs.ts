/** Runs as they lie on the controller's disk. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { replay } from "../../cluster/run/reduce.ts";
import { hostsOf, isOver, type RunState } from "../../cluster/run/state.ts";
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

/** Ended runs are cleaned up after on hosts for this long after a crash. */
export const CLEAN_MS = 24 * 3600_000;

export function isUnfinished(state: RunState): boolean {
  if (state.fenced !== null) return false;
  if (!isOver(state)) return true;
  const isRecent = Date.now() - (state.endedAt ?? 0) < CLEAN_MS;
  return isRecent && hostsOf(state).some((host) => host.agent !== null && host.stage !== "forgot");
}

/** null: no run, or one whose journal this version cannot fold. */
export function fold(lines: readonly JournalLine[]): RunState | null {
  try {
    return replay(lines.map((line) => line.event));
  } catch {
    return null;
  }
}
