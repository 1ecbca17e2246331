/** All runs of this controller: the live ones with their drivers, the ended ones as files. */

import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fail } from "../../cluster/errors.ts";
import type { RunEvent } from "../../cluster/run/events.ts";
import { replay } from "../../cluster/run/reduce.ts";
import { isOver, type RunState } from "../../cluster/run/state.ts";
import type { HostSpec, RunSpec, SecretValues } from "../../cluster/spec.ts";
import type { Lent, LogLine, RunSummary } from "../../cluster/viewer.ts";
import { cacheDir, runDir, runsDir } from "../paths.ts";
import { type Snapshot, takeSnapshot } from "../sync/snapshot.ts";
import { type Driver, driveRun } from "./driver.ts";
import { type JournalLine, openJournal, readLines } from "./journal.ts";
import { type Keeper, keepHost } from "./keeper.ts";
import { feedLines, type LineFeed } from "./line-feed.ts";
import { openLogStore } from "./log-store.ts";
import { keepSecrets } from "./secrets.ts";

export type Watcher = {
  readonly line: (line: JournalLine, state: RunState) => void;
  readonly log: ((line: LogLine) => void) | null;
  readonly notice: (host: string | null, text: string) => void;
  readonly done: () => void;
};

export type LiveRun = {
  readonly driver: Driver;
  readonly watchers: Set<Watcher>;
  readonly lines: readonly JournalLine[];
  readonly logs: string;
  /** What each host that is not ready yet was last said to be doing. */
  readonly doing: ReadonlyMap<string, string>;
};

export type Runs = ReturnType<typeof openRuns>;

export function openRuns(controller: string) {
  const live = new Map<string, LiveRun>();
  const keepers = new Map<string, Keeper>();

  const keeper = (host: HostSpec): Keeper => {
    const key = keyOf(host);
    const known = keepers.get(key) ?? keepHost(host, controller, () => keepers.delete(key));
    keepers.set(key, known);
    return known;
  };

  const drive = (run: string, lent: Lent, snapshot: () => Promise<Snapshot | null>): LiveRun => {
    const dir = runDir(run);
    const journal = openJournal(dir);
    const logs = openLogStore(join(dir, "logs"));
    const watchers = new Set<Watcher>();
    const doing = new Map<string, string>();
    let feed: LineFeed | null = null;
    const each = (tell: (watcher: Watcher) => void): void => {
      for (const watcher of watchers) tell(watcher);
    };
    const tellLine = (line: LogLine): void => each((w) => w.log?.(line));
    const driver = driveRun({
      dir,
      journal,
      logs,
      keeper,
      controller,
      lent,
      snapshot,
      onLine: (line, state) => {
        if ("host" in line.event) doing.delete(line.event.host);
        each((w) => w.line(line, state));
      },
      onBytes: (host, stream, data, at) => {
        if (![...watchers].some((w) => w.log !== null)) feed = null;
        else {
          feed ??= feedLines(tellLine);
          feed.push(host, stream, data, at);
        }
      },
      notice: (host, text) => {
        if (host !== null) doing.set(host, text);
        each((w) => w.notice(host, text));
      },
      onDone: () => {
        feed?.flush(Date.now());
        live.delete(run);
        each((w) => w.done());
        journal.close();
        logs.close();
      },
    });
    const made = { driver, watchers, lines: journal.lines, logs: join(dir, "logs"), doing };
    live.set(run, made);
    return made;
  };

  /** Errors: RUN_NAME_TAKEN, and what the snapshot refuses. The snapshot is taken now: what is edited later does not travel. */
  const start = async (spec: RunSpec, secrets: SecretValues, lent: Lent, by: string): Promise<string> => {
    const taken = [...live.values()].map((r) => r.driver.state()).find((state) => state.spec.name === spec.name && !isOver(state));
    if (taken !== undefined) throw fail("RUN_NAME_TAKEN", { name: spec.name, run: taken.spec.run });
    const snapshot = await snapshotOf(spec);
    const run = claimDir(spec.run);
    keepSecrets(run, secrets);
    const journal = openJournal(runDir(run));
    const at = Date.now();
    journal.append([{ event: { at, type: "requested", spec: { ...spec, run }, by } }, { event: { at, type: "controller-started", controller, epoch: 1 } }]);
    journal.close();
    drive(run, lent, () => Promise.resolve(snapshot));
    return run;
  };

  /** After a start of the controller: goes on with every run that is not over. */
  const resume = (): void => {
    for (const { run, lines } of storedRuns()) {
      const state = fold(lines);
      if (state === null || isOver(state)) continue;
      const lent = { env: definedEnv(), agentSocket: process.env.SSH_AUTH_SOCK ?? null, acceptNewHostKeys: false };
      let taken: Promise<Snapshot | null> | undefined;
      const snapshot = (): Promise<Snapshot | null> => {
        taken ??= snapshotOf(state.spec);
        return taken;
      };
      const { driver } = drive(run, lent, snapshot);
      driver.apply({ at: Date.now(), type: "controller-started", controller, epoch: Math.max(1, state.epoch) });
    }
  };

  const get = (run: string): LiveRun => {
    const found = live.get(run);
    if (found === undefined) throw fail("NO_RUN", { run });
    return found;
  };

  const summaries = (all: boolean): RunSummary[] => {
    const ended = all ? storedRuns().filter(({ run }) => !live.has(run)) : [];
    const states = [...live.values()].map((r) => r.driver.state()).concat(ended.map(({ lines }) => fold(lines)).filter((state) => state !== null));
    return states.map(summarise).sort((a, b) => b.requestedAt - a.requestedAt);
  };

  /** State and journal of any run, live or ended. Errors: NO_RUN. */
  const find = (run: string): { state: RunState; lines: readonly JournalLine[] } => {
    const found = live.get(run);
    if (found !== undefined) return { state: found.driver.state(), lines: found.lines };
    const lines = readStored(run);
    const state = fold(lines);
    if (state === null) throw fail("NO_RUN", { run });
    return { state, lines };
  };

  /** The keeper of this very host, when it holds a link. */
  const linkTo = (host: HostSpec): Keeper | null => {
    const found = keepers.get(keyOf(host));
    return found?.current() == null ? null : found;
  };

  const close = (): void => {
    for (const { driver } of live.values()) driver.dispose();
    for (const k of [...keepers.values()]) k.close();
  };

  return { start, resume, get, live, summaries, find, linkTo, close };
}

/** Entries that are reached alike share a link. */
const keyOf = (host: HostSpec): string => JSON.stringify([host.transport, host.name, host.sshHost, host.user, host.port, host.identity, host.python]);

function snapshotOf(spec: RunSpec): Promise<Snapshot | null> {
  if (spec.code.kind !== "snapshot") return Promise.resolve(null);
  const mustHold = spec.job.kind === "script" ? [spec.job.script] : [];
  return takeSnapshot(spec.code.root, { cacheFile: join(cacheDir(), "hashes.json"), mustHold });
}

/** Run ids have a grain of one second: a second run in it gets a suffix. */
function claimDir(wanted: string): string {
  mkdirSync(runsDir(), { recursive: true, mode: 0o700 });
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

function storedRuns(): { run: string; lines: JournalLine[] }[] {
  try {
    return readdirSync(runsDir()).map((run) => ({ run, lines: readStored(run) }));
  } catch {
    return [];
  }
}

function readStored(run: string): JournalLine[] {
  try {
    return readLines(readFileSync(join(runDir(run), "journal.jsonl"))).lines;
  } catch {
    return [];
  }
}

function fold(lines: readonly JournalLine[]): RunState | null {
  const events: RunEvent[] = lines.map((line) => line.event);
  return events[0]?.type === "requested" ? replay(events) : null;
}

export const definedEnv = (): Record<string, string> =>
  Object.fromEntries(Object.entries(process.env).filter((pair): pair is [string, string] => pair[1] !== undefined));

export const summarise = (state: RunState): RunSummary => ({
  run: state.spec.run,
  name: state.spec.name,
  phase: state.phase,
  hosts: state.spec.hosts.length,
  ranks: state.world,
  attempt: state.attempt,
  requestedAt: state.requestedAt,
  endedAt: state.endedAt,
  file: state.spec.file,
  by: state.by,
  failure: state.failure?.text ?? null,
});
