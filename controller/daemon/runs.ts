/** All runs of this controller: the live ones with their drivers, the ended ones as files. */

import { hostname } from "node:os";
import { join } from "node:path";
import { fail } from "../../cluster/errors.ts";
import { WEBHOOKS } from "../../cluster/notify/spec.ts";
import type { RunEvent } from "../../cluster/run/events.ts";
import { start } from "../../cluster/run/reduce.ts";
import { isOver, owingHosts, type RunState } from "../../cluster/run/state.ts";
import type { HostSpec, RunSpec, SecretValues } from "../../cluster/spec.ts";
import { summarise } from "../../cluster/view/summarise.ts";
import type { Lent, LogLine, RunSummary, TakenRun } from "../../cluster/viewer.ts";
import { makeDir, runDir } from "../paths.ts";
import type { ReachEnv } from "../reach/reach-env.ts";
import type { Snapshot } from "../sync/snapshot.ts";
import { catchUp } from "./catch-up.ts";
import { reachAll } from "./discover.ts";
import { driveRun } from "./driver.ts";
import type { Driver } from "./driver-deps.ts";
import { noteEnd } from "./ended-elsewhere.ts";
import { claimDir, writeEvents, writeFirst } from "./first-events.ts";
import { type JournalLine, openJournal } from "./journal.ts";
import { type Keeper, keepHost } from "./keeper.ts";
import { keepReach, withReach } from "./kept-reach.ts";
import { mayWrite } from "./layout.ts";
import { feedLines, type LineFeed } from "./line-feed.ts";
import { linkKey } from "./link-key.ts";
import { openLogStore } from "./log-store.ts";
import { journalLost, lostRun } from "./lost-journals.ts";
import { mend } from "./mend.ts";
import { openTellers } from "./notify/tellers.ts";
import { keepWebhooks } from "./notify/webhooks.ts";
import { codeTaken, sameSnapshot, snapshotOf } from "./run-code.ts";
import { findInSamples } from "./run-findings.ts";
import { keepSecrets } from "./secrets.ts";
import { CLEAN_MS, fold, isUnfinished, readStored, runNames, storedRuns } from "./stored-runs.ts";
import { findRuns, type TakeoverDeps, takeOver, type Wish } from "./takeover.ts";
import { openRunTelemetry, type RunTelemetry, telemetryDir } from "./telemetry/run-telemetry.ts";
import { serveMetrics } from "./telemetry/serve-metrics.ts";
import { tidyUp } from "./tidy.ts";
import { watchWakefulness } from "./wakefulness.ts";

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
  readonly telemetry: RunTelemetry;
  /** When ranks were last heard to write, as long as this controller drives the run; null: not yet. */
  readonly wroteAt: () => number | null;
};

export type Runs = ReturnType<typeof openRuns>;

export function openRuns(controller: string) {
  /** Names of runs whose snapshot is being taken. */
  const starting = new Set<string>();
  const live = new Map<string, LiveRun>();
  /** Runs that are over and wait for hosts that could not be asked. */
  const owing = new Map<string, Driver>();
  /** Runs that another controller leads now. */
  const lost = new Map<string, RunState>();
  /** Runs that are not over and that could not be taken up again. */
  const stuck = new Map<string, RunState>();
  /** Runs whose journal cannot be read at all. */
  const unread = new Map<string, RunSummary>();
  const keepers = new Map<string, Keeper>();
  const drivers = (): Driver[] => [...[...live.values()].map((run) => run.driver), ...owing.values()];
  const metrics = serveMetrics(live);
  const tellers = openTellers();
  const wakefulness = watchWakefulness((sleptMs) => {
    for (const driver of drivers()) driver.apply({ at: Date.now(), type: "controller-woke", sleptMs });
  });

  const keeper = (host: HostSpec, env: ReachEnv): Keeper => {
    const key = linkKey(host, env);
    const known = keepers.get(key) ?? keepHost(host, controller, () => keepers.delete(key));
    keepers.set(key, known);
    return known;
  };

  const drive = (run: string, lent: Lent, snapshot: () => Promise<Snapshot | null>): LiveRun => {
    const dir = runDir(run);
    const journal = openJournal(dir);
    const logs = openLogStore(join(dir, "logs"), (host, stream) => mayWrite(driver.state(), host, stream));
    const notice = (host: string | null, text: string): void => each((w) => w.notice(host, text));
    const telemetry = openRunTelemetry({ dir: telemetryDir(dir), state: () => driver.state(), notice, onSample: findInSamples(() => driver) });
    const isOld = catchUp(journal.lines, fold(journal.lines)?.attempt ?? 0);
    const watchers = new Set<Watcher>();
    const doing = new Map<string, string>();
    let wroteAt: number | null = null;
    let feed: LineFeed | null = null;
    const each = (tell: (watcher: Watcher) => void): void => [...watchers].forEach(tell);
    const tellLine = (line: LogLine): void => each((w) => w.log?.(line));
    const driver = driveRun({
      dir,
      journal,
      logs,
      keeper: (host) => keeper(host, lent.env),
      telemetry,
      controller,
      lent,
      snapshot,
      onLine: (line, state) => {
        if ("host" in line.event) doing.delete(line.event.host);
        teller?.line(line.event, state);
        each((w) => w.line(line, state));
      },
      onBytes: (host, stream, data, at) => {
        if (isOld(host, stream, data.length)) return;
        if (stream.startsWith(`a${driver.state().attempt}/rank`)) wroteAt = at;
        if (![...watchers].some((w) => w.log !== null)) feed = null;
        else {
          feed ??= feedLines(tellLine, logs.unfinished);
          feed.push(host, stream, data, at);
        }
      },
      isAwake: wakefulness.isAwake,
      notice: (host, text) => {
        if (host !== null) doing.set(host, text);
        notice(host, text);
      },
      onSettled: () => {
        teller?.finish();
        feed?.flush(Date.now());
        live.delete(run);
        owing.set(run, driver);
        each((w) => w.done());
      },
      onDone: () => {
        teller?.finish();
        if (driver.state().fenced !== null) lost.set(run, driver.state());
        owing.delete(run);
        feed?.flush(Date.now());
        live.delete(run);
        each((w) => w.done());
        journal.close();
        logs.close();
        telemetry.close();
      },
    });
    const teller = tellers.begin(run, eventsOf(journal.lines), driver.state(), (text) => notice(null, text));
    const made = { driver, watchers, lines: journal.lines, logs: join(dir, "logs"), doing, telemetry, wroteAt: () => wroteAt };
    live.set(run, made);
    metrics.want(driver.state().spec.metricsPort, (text) => each((w) => w.notice(null, text)));
    return made;
  };

  /** Errors: RUN_NAME_TAKEN, and what the snapshot refuses. The snapshot is taken now: what is edited later does not travel. */
  const request = async (spec: RunSpec, secrets: SecretValues, lent: Lent, by: string): Promise<string> => {
    const taken = [...live.values()].map((r) => r.driver.state()).find((state) => state.spec.name === spec.name && !isOver(state));
    if (taken !== undefined) throw fail("RUN_NAME_TAKEN", { name: spec.name, run: taken.spec.run });
    if (starting.has(spec.name)) throw fail("RUN_NAME_TAKEN", { name: spec.name, run: spec.run });
    starting.add(spec.name);
    const { [WEBHOOKS]: urls = {}, ...values } = secrets;
    try {
      const snapshot = await snapshotOf(spec);
      const run = claimDir(spec.run);
      keepSecrets(run, values);
      keepWebhooks(run, urls);
      keepReach(run, lent.env);
      const at = Date.now();
      writeFirst(run, [
        { at, type: "requested", spec: { ...spec, run }, by },
        { at, type: "controller-started", controller, epoch: 1, machine: hostname() },
        ...(snapshot === null ? [] : [codeTaken(snapshot, at)]),
      ]);
      drive(run, lent, () => Promise.resolve(snapshot));
      return run;
    } finally {
      starting.delete(spec.name);
    }
  };

  /** After a start of the controller: goes on with every run that is not over, and cleans up after those that ended as it died. */
  const resume = (): void => {
    for (const run of runNames()) {
      try {
        const state = fold(mend(run, controller));
        if (state === null) {
          const known = lostRun(run);
          if (known !== null) unread.set(run, known);
          continue;
        }
        if (state.fenced !== null && !isOver(state)) lost.set(run, state);
        if (isUnfinished(state)) goOn(run, state);
        else {
          tidyUp(run, state);
          tellers.catchUp(run, eventsOf(readStored(run)), state);
        }
      } catch (error) {
        const state = fold(readStored(run));
        if (state !== null && !isOver(state)) stuck.set(run, state);
        console.error(`${run} cannot be resumed`, error);
      }
    }
  };

  const goOn = (run: string, state: RunState): void => {
    const lent = { env: withReach(run, definedEnv()), agentSocket: process.env.SSH_AUTH_SOCK ?? null, acceptNewHostKeys: false };
    const epoch = Math.max(1, state.epoch + (state.controller === controller ? 0 : 1));
    const { driver } = drive(run, lent, sameSnapshot(state));
    driver.apply({ at: Date.now(), type: "controller-started", controller, epoch, machine: hostname() });
  };

  /** Errors: what takeOver refuses, STATE_WRITE. */
  const takeFromHosts = (wish: Wish, notice: TakeoverDeps["notice"], cancelled: AbortSignal): Promise<TakenRun> => {
    const driven = (run: string): RunState | null => live.get(run)?.driver.state() ?? null;
    const begin: TakeoverDeps["begin"] = (run, event, lent) => {
      makeDir(runDir(run)); // there already, when this controller led it once
      writeEvents(run, [event]);
      keepReach(run, lent.env);
      for (const before of [lost, stuck, unread]) before.delete(run);
      drive(run, lent, sameSnapshot(start(event)));
    };
    return takeOver(wish, { controller, driven, begin, notice, cancelled });
  };

  const get = (run: string): LiveRun => {
    const found = live.get(run);
    if (found === undefined) throw fail("NO_RUN", { run });
    return found;
  };

  const summaries = (all: boolean): RunSummary[] => {
    const ended = all ? storedRuns().filter(({ run }) => !live.has(run)) : [];
    const recently = [...lost.values()].filter((state) => !all && state.fenced?.end === undefined && Date.now() - (state.fenced?.at ?? 0) < CLEAN_MS);
    const states = [...live.values()]
      .map((r) => r.driver.state())
      .concat(
        recently,
        all ? [] : [...owing.values()].map((driver) => driver.state()),
        all ? [] : [...stuck].filter(([run]) => !live.has(run)).map(([, state]) => state),
        ended.map(({ lines }) => fold(lines)).filter((state) => state !== null),
      );
    return [...states.map(summarise), ...unread.values()].sort((a, b) => b.requestedAt - a.requestedAt);
  };

  /** State and journal of any run, live or ended. Errors: NO_RUN. */
  const find = (run: string): { state: RunState; lines: readonly JournalLine[] } => {
    const found = live.get(run);
    if (found !== undefined) return { state: found.driver.state(), lines: found.lines };
    const lines = readStored(run);
    const state = fold(lines);
    if (state === null) throw journalLost(run) ?? fail("NO_RUN", { run });
    return { state, lines };
  };

  /** The keeper of this very host, when it holds a link that was made as `env` would make it. */
  const linkTo = (host: HostSpec, env: ReachEnv): Keeper | null => {
    const found = keepers.get(linkKey(host, env));
    return found?.current() == null ? null : found;
  };

  const close = (): void => {
    wakefulness.close();
    metrics.close();
    tellers.close();
    for (const driver of drivers()) driver.dispose();
    for (const k of [...keepers.values()]) k.close();
  };

  /** Asks the hosts again that a run which is over could not ask. */
  const remind = (run: string): void => {
    const { state } = find(run);
    owing.get(run)?.hurry();
    if (owingHosts(state).length > 0 && !live.has(run) && !owing.has(run)) goOn(run, state);
  };

  return {
    start: request,
    takeOver: takeFromHosts,
    findKept: (hosts: readonly HostSpec[], lent: Lent, notice: TakeoverDeps["notice"]) => findRuns(hosts, lent, controller, notice),
    reach: (hosts: readonly HostSpec[], notice: TakeoverDeps["notice"]) => reachAll(hosts, controller, notice),
    resume,
    remind,
    isBusy: () => live.size + owing.size > 0 || tellers.isBusy(),
    get,
    live,
    summaries,
    noteEnd: (request: Parameters<typeof noteEnd>[1]) => noteEnd(lost, request),
    find,
    linkTo,
    close,
  };
}

const eventsOf = (lines: readonly JournalLine[]): readonly RunEvent[] => lines.map(({ event }) => event);

export const definedEnv = (): Record<string, string> =>
  Object.fromEntries(Object.entries(process.env).filter((pair): pair is [string, string] => pair[1] !== undefined));
