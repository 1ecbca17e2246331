/**
 * One run on this host: its record, its events, its attempts; all of it on disk before anybody hears of it. Events that a disk has lost are
 * told once more by the shims and their files, and `rebuilt` tells controllers to read all of them again. A record that was lost comes again
 * from the controller; who that may be (`fence.json`) is kept beside it, so that a controller that was fenced stays so.
 */

import { existsSync, mkdirSync, readdirSync, renameSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { fail } from "../cluster/errors.ts";
import type { AgentEvent, AgentRunEvent, Authority, RunRecord } from "../cluster/protocol.ts";
import { type AttemptView, fold, newView } from "./attempt-view.ts";
import { type Journal, openJournal, readLines } from "./durable-file.ts";
import { readSealed, writeSealed } from "./sealed-file.ts";

export type Run = {
  readonly run: string;
  readonly dir: string;
  record: RunRecord | null;
  /** Who may command it; null: nobody has yet, or it was forgotten. */
  authority: Authority | null;
  /** How often events were lost on this disk, and what was, last. */
  rebuilt: { readonly count: number; readonly why: string };
  readonly events: AgentEvent[];
  /** Events on disk: only these are sent. */
  durable: number;
  readonly attempts: Map<number, AttemptView>;
  readonly journal: Journal;
  readonly listeners: Set<() => void>;
};

export const attemptDir = (run: Run, attempt: number): string => join(run.dir, `a${attempt}`);
export const isLive = (run: Run): boolean => [...run.attempts.values()].some((view) => view.phase !== "ended");

/** A run's name becomes a directory's. */
export function checkRunName(run: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(run)) throw fail("USAGE", { what: "that is not the id of a run" });
  return run;
}

export function openRun(runsDir: string, name: string, log: (text: string) => void): Run {
  const dir = join(runsDir, checkRunName(name));
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const isNext = (line: string, k: number): boolean => (JSON.parse(line) as AgentEvent).index === k;
  const journal = openJournal(join(dir, "events.jsonl"), (error) => log(`${name}: events cannot be written: ${error.message}`), isNext);
  const record = readRecord(dir);
  const run: Run = {
    run: name,
    dir,
    record,
    authority: readSealed<Authority>(join(dir, "fence.json")) ?? record,
    rebuilt: readSealed<Run["rebuilt"]>(join(dir, "rebuilt.json")) ?? { count: 0, why: "" },
    events: [],
    durable: 0,
    attempts: new Map(),
    journal,
    listeners: new Set(),
  };
  for (const line of journal.lines) take(run, JSON.parse(line) as AgentEvent);
  run.durable = run.events.length;
  if (journal.cut !== null) noteLost(run, journal.cut, log);
  return run;
}

/** Controllers read all events again, and tell a person. */
export function noteLost(run: Run, why: string, log: (text: string) => void): void {
  log(`${run.run}: ${why}`);
  run.rebuilt = { count: run.rebuilt.count + 1, why };
  try {
    writeSealed(join(run.dir, "rebuilt.json"), run.rebuilt);
  } catch (error) {
    log(`${run.run}: ${String(error)}`); // told to who asks until the agent's end
  }
}

/** A run that is new here. What is left of one of the same name that has ended (another controller's, ids have a grain of a second) is set aside. */
export function beginRun(runsDir: string, name: string, log: (text: string) => void): Run {
  const dir = join(runsDir, checkRunName(name));
  if (isKept(dir)) throw fail("HOST_WRITE", { path: dir, why: "it is there, and could not be read when the agent started" });
  for (let k = 1; existsSync(dir); k += 1) if (!existsSync(`${dir}.${k}`)) renameSync(dir, `${dir}.${k}`);
  return openRun(runsDir, name, log);
}

export function loadRuns(runsDir: string, log: (text: string) => void): Map<string, Run> {
  const runs = new Map<string, Run>();
  for (const name of existsSync(runsDir) ? readdirSync(runsDir) : []) {
    try {
      if (isKept(join(runsDir, name))) runs.set(name, openRun(runsDir, name, log));
    } catch (error) {
      log(`run ${name} cannot be read: ${String(error)}`);
    }
  }
  return runs;
}

const FILES = ["record.json", "fence.json"] as const;
/** Not forgotten. */
const isKept = (dir: string): boolean => FILES.some((file) => existsSync(join(dir, file)));

const readRecord = (dir: string): RunRecord | null => readSealed<RunRecord>(join(dir, "record.json"));

/** Older news of the same authority changes nothing. */
export function keepRecord(run: Run, record: RunRecord): void {
  const kept = run.record;
  if (kept !== null && kept.epoch === record.epoch && kept.controller === record.controller && record.seq <= kept.seq) return;
  try {
    const { epoch, controller } = record;
    // First: with a fence that is newer than the record, the older controller is refused already.
    if (run.authority?.epoch !== epoch || run.authority.controller !== controller) writeSealed(join(run.dir, "fence.json"), { epoch, controller });
    run.authority = { epoch, controller };
    writeSealed(join(run.dir, "record.json"), record);
  } catch (error) {
    throw fail("HOST_WRITE", { path: run.dir, why: String(error) }, error);
  }
  run.record = record;
}

export function dropRecord(run: Run): void {
  run.record = null;
  run.authority = null;
  for (const file of FILES) if (existsSync(join(run.dir, file))) unlinkSync(join(run.dir, file));
}

function take(run: Run, event: AgentEvent): void {
  run.events.push(event);
  fold(viewOf(run, event.attempt), event);
}

export function viewOf(run: Run, attempt: number): AttemptView {
  let view = run.attempts.get(attempt);
  if (view === undefined) {
    view = newView(attempt);
    run.attempts.set(attempt, view);
  }
  return view;
}

/** Journals first, then tells the listeners; order is kept. */
export function addEvent(run: Run, attempt: number, event: AgentRunEvent): void {
  const kept: AgentEvent = { index: run.events.length, at: event.at, attempt, event };
  take(run, kept);
  void run.journal.append(JSON.stringify(kept)).then(() => {
    run.durable = Math.max(run.durable, kept.index + 1);
    for (const tell of [...run.listeners]) tell();
  });
}

/** Resolves when `test` gives something; null after `waitMs`. */
export function waitFor<T>(run: Run, waitMs: number, test: () => T | null): Promise<T | null> {
  return new Promise((resolve) => {
    const check = (): void => {
      const found = test();
      if (found !== null) settle(found);
    };
    const settle = (value: T | null): void => {
      clearTimeout(timer);
      run.listeners.delete(check);
      resolve(value);
    };
    const timer = setTimeout(() => settle(null), waitMs);
    run.listeners.add(check);
    check();
  });
}

/** Events of the attempt's own file that we have not heard yet. One that cannot be read is lost, unless the shim lives and may still tell it. */
export function readMissed(run: Run, attempt: number, isShimGone: boolean, log: (text: string) => void): void {
  const view = viewOf(run, attempt);
  const path = join(attemptDir(run, attempt), "events.jsonl");
  const { lines, bad } = readLines(path);
  if (bad.length > 0 && !isShimGone) return;
  if (bad.length > 0) noteLost(run, `line ${bad.join(", ")} of ${path} cannot be read; what it told is lost`, log);
  for (const line of lines) {
    const event = JSON.parse(line) as Extract<AgentRunEvent, { index: number }>;
    if (event.index >= view.shimNext) addEvent(run, attempt, event);
  }
}
