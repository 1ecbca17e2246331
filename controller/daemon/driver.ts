/**
 * The loop of one run: events in → journal (fsync) → fold → what is wanted → effects → events.
 * Killed at any instant and started again it replays the journal and wants the same things.
 */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { NexaError, toProblem } from "../../cluster/errors.ts";
import type { Look } from "../../cluster/hang/look.ts";
import { formatPlanJson } from "../../cluster/launch/dry-run.ts";
import type { AttemptPlan } from "../../cluster/launch/types.ts";
import type { RunRecord } from "../../cluster/protocol.ts";
import type { TimerKey } from "../../cluster/run/events.ts";
import { isDrained } from "../../cluster/run/phase.ts";
import { recordOf } from "../../cluster/run/record.ts";
import { reduce, replay } from "../../cluster/run/reduce.ts";
import { isOver, membersOf, owingHosts } from "../../cluster/run/state.ts";
import { bootOfDebt, type Effect, wanted } from "../../cluster/run/wanted.ts";
import { askHardware } from "./ask-hardware.ts";
import { resolveAddresses } from "./attempt-plan.ts";
import { doForRun, isOfRun, type RunEffect } from "./between.ts";
import type { Driver, DriverDeps } from "./driver-deps.ts";
import { type Entry, foldable, readFrom } from "./entries.ts";
import { type Peer, peersOf } from "./from-peers.ts";
import { lookAtRanks } from "./hang-look.ts";
import { type HangWatch, watchForHang } from "./hang-watch.ts";
import { type HostIntake, takeHost } from "./intake.ts";
import type { Linked } from "./keeper.ts";
import { planOf, ranksOfHost } from "./layout.ts";
import { keepManifest } from "./manifest.ts";
import { type HostEffect, perform } from "./perform.ts";
import type { RecoveryDeps } from "./recovery.ts";
import { conceal, forgetSecrets, secretsKept, withoutSecrets } from "./secrets.ts";
import { whenDue } from "./when-due.ts";
import { takenAgain, whoLeads } from "./who-leads.ts";
import { watchSilent } from "./witness.ts";

const RETRY_MS = 1000;

export function driveRun(deps: DriverDeps): Driver {
  const { journal } = deps;
  let state = replay(journal.lines.map((line) => line.event));
  let lent = deps.lent;
  let queue: Entry[] = [];
  let disposed = false;
  let hasSettled = false;
  /** The journal took nothing the last time. */
  let isHeldUp = false;
  let heardFromRanksAt = Date.now();
  let hangWatch: HangWatch | null = null;
  const inFlight = new Map<string, () => void>();
  const intakes = new Map<string, HostIntake>();
  const linkedTo = (host: string): Linked | null => intakes.get(host)?.linked() ?? null;
  const now = (): number => Date.now();
  const secrets = secretsKept(state.spec.run);

  const apply = (...entries: readonly Entry[]): void => {
    if (queue.length === 0) queueMicrotask(flush);
    queue.push(...entries);
  };

  const flush = (): void => {
    if (disposed) return;
    const batch = foldable(state, queue);
    queue = [];
    const from = journal.lines.length;
    try {
      if (batch.length > 0) journal.append(batch);
    } catch (error) {
      queue = batch; // nothing is done on what is not on disk
      const why = error instanceof Error ? error.message : String(error);
      if (!isHeldUp) deps.notice(null, `the journal cannot be written (${why}); nothing new is decided until it can be`);
      isHeldUp = true;
      return retryLater(flush);
    }
    if (isHeldUp) deps.notice(null, "the journal can be written again; going on");
    isHeldUp = false;
    for (const line of journal.lines.slice(from)) {
      const before = state.phase;
      state = reduce(state, line.event);
      deps.onLine(line, state);
      if (line.event.type === "stop-requested") hurry();
      if (line.event.type === "taken-over") for (const cancel of [...inFlight.values()]) cancel(); // all is asked again, from the first event
      if (state.phase !== before || (isOver(state) && line.event.type === "host-ended")) saveManifest();
    }
    for (const intake of intakes.values()) intake.acknowledge();
    reconcile();
  };

  const retryLater = (again: () => void): void => void setTimeout(() => !disposed && again(), RETRY_MS).unref();

  /** Starts what is wanted and not under way, drops what is not wanted any more. */
  const reconcile = (): void => {
    const effects = wanted(state);
    const keys = new Set(effects.map((effect) => effect.key));
    for (const [key, cancel] of inFlight) if (!keys.has(key)) cancel();
    for (const effect of effects) if (!inFlight.has(effect.key)) begin(effect);
    if (state.fenced !== null) {
      finish("finish"); // another controller leads the run: whatever happens to it, nothing of it is ours to do any more
      return dispose();
    }
    if (!isOver(state)) return;
    const owing = owingHosts(state).map((host) => host.name);
    const isDebt = (key: string): boolean => owing.some((name) => key === `link:${name}` || (key.startsWith("stop:") && key.includes(`:${name}:`)));
    const open = [...inFlight.keys()].filter((key) => key !== "finish");
    if (open.length === 0 && owing.length === 0) dispose();
    else if (open.every(isDebt) && owing.length > 0 && !hasSettled) {
      hasSettled = true;
      deps.onSettled();
    }
  };

  const begin = (effect: Effect): void => {
    if (effect.do === "timer") return startTimer(effect.key, effect.timer, effect.at);
    if (effect.do === "link") return startLink(effect.key, effect.host);
    if (effect.do === "finish") return finish(effect.key);
    if (isOfRun(effect)) return startForRun(effect);
    if (effect.do === "witness") return startWitness(effect.key, effect.host);
    if (effect.do === "watch-hang") return startHangWatch(effect.key);
    startOnHost(effect);
  };

  const startTimer = (key: string, timer: TimerKey, at: number): void => {
    const end = once(
      key,
      whenDue(at, deps.isAwake, () => {
        end();
        apply({ event: { at: now(), type: "timer", key: timer } });
      }),
    );
  };

  const startLink = (key: string, name: string): void => {
    const host = state.spec.hosts.find((h) => h.name === name);
    if (host === undefined) return;
    const intake = takeHost({
      host,
      run: state.spec.run,
      keeper: deps.keeper(host),
      connectMs: state.spec.timeouts.connectMs,
      lent,
      logs: deps.logs,
      ...readFrom(journal.lines, name),
      record,
      apply,
      onBytes: (from, stream, data, at) => {
        heardFromRanksAt = at;
        hangWatch?.push(from, stream, data, at);
        deps.onBytes(from, stream, data, at);
      },
      notice: (text) => deps.notice(name, text),
      stage: () => state.hosts[name]?.stage ?? "waiting",
      takenAgain: (link) => takenAgain(link, state, record()),
      needsFacts: () => state.hosts[name]?.facts == null,
      attempt: () => state.hosts[name]?.attempt ?? 0,
      agent: () => state.hosts[name]?.agent ?? null,
      bootOfDebt: () => bootOfDebt(state, name),
      owns: (rank, attempt) => attempt !== state.attempt || ranksOfHost(state, name).has(rank),
      ready: ({ link }) => {
        deps.telemetry.begin(name, link, record());
        reconcile();
      },
      lost: () => {
        for (const [flying, cancel] of inFlight) if (/^(stop|record):/.test(flying) && flying.includes(`:${name}`)) cancel();
      },
    });
    intakes.set(name, intake);
    once(key, () => {
      intake.dispose();
      intakes.delete(name);
    });
  };

  /** Registers an effect under way; returns its end, which is harmless twice. */
  const once = (key: string, cleanUp: () => void): (() => void) => {
    const end = (): void => {
      if (inFlight.delete(key)) cleanUp();
    };
    inFlight.set(key, end);
    return end;
  };

  const startOnHost = (effect: HostEffect): void => {
    const linked = linkedTo(effect.host);
    const host = state.spec.hosts.find((h) => h.name === effect.host);
    if (linked === null || host === undefined) return; // wanted still when the link is back
    const end = once(effect.key, () => undefined);
    const notice = (text: string): void => deps.notice(host.name, text);
    const isWanted = (): boolean => !disposed && inFlight.get(effect.key) === end;
    const peers = (): readonly Peer[] => peersOf(state, host.name, linkedTo);
    const work = { state, snapshot: deps.snapshot, host, linked, record: record(), lent, peers, plan, notice, isWanted, now };
    perform(effect, work).then(
      (events) => {
        if (effect.do !== "stop" && effect.do !== "record") end(); // a stop stays under way until its receipt, a record as long as its phase
        apply(...events.map((event) => ({ event })));
      },
      (error: unknown) => {
        end();
        failed(effect, error);
      },
    );
  };

  const askLeader = async (host: string): Promise<void> => {
    const link = linkedTo(host)?.link;
    const fenced = link === undefined ? null : await whoLeads(link, state.spec.run, deps.controller);
    if (fenced !== null) apply({ event: fenced });
  };

  const failed = (effect: HostEffect, error: unknown): void => {
    if (disposed || (error instanceof NexaError && (error.code === "LINK_LOST" || error.code === "NOT_WANTED"))) return; // wanted again when the link is back
    if (error instanceof NexaError && error.code === "FENCED") return void askLeader(effect.host);
    if (!(error instanceof NexaError)) console.error(error);
    const problem = withoutSecrets(toProblem(error, effect.host), secrets());
    if (effect.do === "prepare" || effect.do === "arm" || effect.do === "launch") {
      return apply({ event: { at: now(), type: "host-failed", host: effect.host, during: effect.do, problem } });
    }
    deps.notice(effect.host, problem.message);
    retryLater(reconcile);
  };

  const startForRun = (effect: RunEffect): void => {
    const { key } = effect;
    const end = once(key, () => undefined);
    const isWanted = (): boolean => !disposed && inFlight.get(key) === end;
    const its: RecoveryDeps = {
      state,
      isDrained: () => membersOf(state).every((h) => isDrained(h) || !h.seen),
      isWanted,
      notice: (text) => deps.notice(null, text),
      events: journal.lines.map((line) => line.event),
      logsDir: join(deps.dir, "logs"),
      linked: linkedTo,
      record: record(),
      conceal: (text) => conceal(text, secrets()),
      now,
      tell: (event) => apply({ event }),
    };
    doForRun(effect, its).then(
      (event) => {
        if (isWanted()) apply({ event });
        end();
      },
      (error: unknown) => {
        if (!(error instanceof NexaError)) console.error(error);
        if (isWanted()) deps.notice(null, toProblem(error).message);
        end();
        retryLater(reconcile);
      },
    );
  };

  const startWitness = (key: string, host: string): void => {
    const witness = watchSilent({
      host,
      state: () => state,
      linked: linkedTo,
      heardFromRanksAt: () => heardFromRanksAt,
      isAwake: deps.isAwake,
      now,
      lost: (why) => apply({ event: { at: now(), type: "host-lost", host, attempt: state.attempt, why } }),
      witnessed: (saw, by) => apply({ event: { at: now(), type: "host-witnessed", host, saw, by } }),
    });
    once(key, witness.close);
  };

  const hurry = (): void => [...intakes.values()].forEach((intake) => void intake.hurry());
  const record = (): RunRecord => recordOf(state, deps.controller, journal.lines.length);
  const pace: Driver["pace"] = () => hangWatch?.pace ?? null;
  const hardware = (host: string): ReturnType<typeof askHardware> => askHardware(linkedTo(host));
  const look = (): Promise<Look> => lookAtRanks({ state, linked: linkedTo, record: record(), now });
  const startHangWatch = (key: string): void => {
    hangWatch = watchForHang({ state: () => state, now, isAwake: deps.isAwake, look, hardware, apply: (event) => apply({ event }) });
    once(key, hangWatch.close);
  };

  const plan = async (): Promise<AttemptPlan> => {
    const made = planOf(state, await resolveAddresses(state));
    await writeFile(join(deps.dir, "plan.json"), formatPlanJson(made), { mode: 0o600 });
    return made;
  };
  const finish = (key: string): void => {
    once(key, () => undefined);
    forgetSecrets(state.spec.run);
    saveManifest();
  };

  const saveManifest = (): void => keepManifest(deps.dir, state, pace()?.pace() ?? null, deps.telemetry.totals(), (text) => deps.notice(null, text));

  const dispose = (): void => {
    if (disposed) return;
    disposed = true;
    for (const cancel of [...inFlight.values()]) cancel();
    deps.onDone();
  };

  saveManifest();
  queueMicrotask(flush);
  return { state: () => state, apply: (event) => apply({ event }), lend: (given) => (lent = given), hurry, look, pace, dispose };
}
