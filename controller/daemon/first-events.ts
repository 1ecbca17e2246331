/** How a run's directory and journal begin. */

import { mkdirSync, rmSync } from "node:fs";
import { fail } from "../../cluster/errors.ts";
import type { RunEvent } from "../../cluster/run/events.ts";
import { makeDir, runDir, runsDir } from "../paths.ts";
import { openJournal } from "./journal.ts";

/** Run ids have a grain of one second: a second run in it gets a suffix. */
export function claimDir(wanted: string): string {
  makeDir(runsDir());
  for (let k = 1; ; k += 1) {
    const run = k === 1 ? wanted : `${wanted}_${k}`;
    try {
      mkdirSync(runDir(run), { mode: 0o700 });
      return run;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}

/** The first events of a run are there whole or not at all. */
export function writeFirst(run: string, events: readonly RunEvent[]): void {
  try {
    writeEvents(run, events);
  } catch (error) {
    rmSync(runDir(run), { recursive: true, force: true });
    throw error;
  }
}

/** Errors: STATE_WRITE. */
export function writeEvents(run: string, events: readonly RunEvent[]): void {
  const journal = openJournal(runDir(run));
  try {
    journal.append(events.map((event) => ({ event })));
  } catch (error) {
    throw fail("STATE_WRITE", { path: runDir(run), why: error instanceof Error ? error.message : String(error) }, error);
  } finally {
    journal.close();
  }
}
