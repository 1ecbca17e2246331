/** One run on this host: its record, its events, its attempts; all of it on disk before anybody hears of it. */

import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { fail } from "../cluster/errors.ts";
import type { AgentEvent, AgentRunEvent, RunRecord } from "../cluster/protocol.ts";
import { type AttemptView, fold, newView } from "./attempt-view.ts";
import { type Journal, openJournal, readLines, writeDurable } from "./durable-file.ts";

export type Run = {
  readonly run: string;
  readonly dir: string;
  record: RunRecord | null;
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
  const journal = openJournal(join(dir, "events.jsonl"), (error) => log(`${name}: events cannot be written: ${error.message}`));
  const run: Run = { run: name, dir, record: readRecord(dir), events: [], durable: 0, attempts: new Map(), journal, listeners: new Set() };
  for (const line of journal.lines) take(run, JSON.parse(line) as AgentEvent);
  run.durable = run.events.length;
  return run;
}

/** A run that is new here. What is left of one of the same name that has ended (another controller's, ids have a grain of a second) is set aside. */
export function beginRun(runsDir: string, name: string, log: (text: string) => void): Run {
  const dir = join(runsDir, checkRunName(name));
  for (let k = 1; existsSync(dir); k += 1) if (!existsSync(`${dir}.${k}`)) renameSync(dir, `${dir}.${k}`);
  return openRun(runsDir, name, log);
}

export function loadRuns(runsDir: string, log: (text: string) => void): Map<string, Run> {
  const runs = new Map<string, Run>();
  for (const name of existsSync(runsDir) ? readdirSync(runsDir) : []) {
    try {
      if (existsSync(join(runsDir, name, "record.json"))) runs.set(name, openRun(runsDir, name, log));
    } catch (error) {
      log(`run ${name} cannot be read: ${String(error)}`);
    }
  }
  return runs;
}

function readRecord(dir: string): RunRecord | null {
  try {
    return JSON.parse(readFileSync(join(dir, "record.json"), "utf8")) as RunRecord;
  } catch {
    return null;
  }
}

/** Older news of the same authority changes nothing. */
export function keepRecord(run: Run, record: RunRecord): void {
  const kept = run.record;
  if (kept !== null && kept.epoch === record.epoch && kept.controller === record.controller && record.seq <= kept.seq) return;
  try {
    writeDurable(join(run.dir, "record.json"), JSON.stringify(record));
  } catch (error) {
    throw fail("HOST_WRITE", { path: run.dir, why: String(error) }, error);
  }
  run.record = record;
}

export function dropRecord(run: Run): void {
  run.record = null;
  if (existsSync(join(run.dir, "record.json"))) unlinkSync(join(run.dir, "record.json"));
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

/** Events of the attempt's own file that we have not heard yet: the shim may have died after writing them. */
export function readMissed(run: Run, attempt: number): void {
  const view = viewOf(run, attempt);
  for (const line of readLines(join(attemptDir(run, attempt), "events.jsonl"))) {
    const event = JSON.parse(line) as Extract<AgentRunEvent, { index: number }>;
    if (event.index === view.shimNext) addEvent(run, attempt, event);
  }
}
