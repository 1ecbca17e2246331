/**
 * The loop of one run: events in → journal (fsync) → fold → what is wanted → effects → events.
 * Killed at any instant and started again it replays the journal and wants the same things.
 */

import { randomBytes } from "node:crypto";
import { lookup } from "node:dns/promises";
import { writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { fail, NexaError, type Problem, toProblem } from "../../cluster/errors.ts";
import { formatPlanJson } from "../../cluster/launch/dry-run.ts";
import type { AttemptPlan } from "../../cluster/launch/types.ts";
import type { RunRecord } from "../../cluster/protocol.ts";
import type { RunEvent, TimerKey } from "../../cluster/run/events.ts";
import { recordOf } from "../../cluster/run/record.ts";
import { reduce, replay } from "../../cluster/run/reduce.ts";
import { isOver, membersOf, type RunState } from "../../cluster/run/state.ts";
import { type Effect, wanted } from "../../cluster/run/wanted.ts";
import type { HostSpec } from "../../cluster/spec.ts";
import type { Lent } from "../../cluster/viewer.ts";
import type { Snapshot } from "../sync/snapshot.ts";
import { type HostIntake, takeHost } from "./intake.ts";
import type { Journal, JournalLine } from "./journal.ts";
import type { Keeper } from "./keeper.ts";
import { type Addresses, layOut, memberSpecs, planOf, refusalOf } from "./layout.ts";
import type { LogStore } from "./log-store.ts";
import { writeManifest } from "./manifest.ts";
import { type HostEffect, perform } from "./perform.ts";
import { forgetSecrets } from "./secrets.ts";

export type DriverDeps = {
  readonly dir: string;
  readonly journal: Journal;
  readonly logs: LogStore;
  readonly keeper: (host: HostSpec) => Keeper;
  readonly controller: string;
  readonly lent: Lent;
  readonly snapshot: () => Promise<Snapshot | null>;
  readonly onLine: (line: JournalLine, state: RunState) => void;
  readonly onBytes: (host: string, stream: string, data: Uint8Array, at: number) => void;
  readonly notice: (host: string | null, text: string) => void;
  /** The run is over and everything was said. */
  readonly onDone: () => void;
};

export type Driver = {
  readonly state: () => RunState;
  readonly apply: (event: RunEvent) => void;
  readonly lend: (lent: Lent) => void;
  readonly dispose: () => void;
};

export type Entry = { readonly event: RunEvent; readonly cursor?: { readonly host: string; readonly index: number } };

export function driveRun(deps: DriverDeps): Driver {
  const { journal } = deps;
  let state = replay(journal.lines.map((line) => line.event));
  let lent = deps.lent;
  let queue: Entry[] = [];
  let disposed = false;
  const inFlight = new Map<string, () => void>();
  const intakes = new Map<string, HostIntake>();
  const now = (): number => Date.now();

  const apply = (...entries: readonly Entry[]): void => {
    if (queue.length === 0) queueMicrotask(flush);
    queue.push(...entries);
  };

  const flush = (): void => {
    if (disposed) return;
    const batch = queue;
    queue = [];
    const from = journal.lines.length;
    if (batch.length > 0) journal.append(batch);
    for (const line of journal.lines.slice(from)) {
      state = reduce(state, line.event);
      deps.onLine(line, state);
    }
    for (const intake of intakes.values()) intake.acknowledge();
    reconcile();
  };

  /** Starts what is wanted and not under way, drops what is not wanted any more. */
  const reconcile = (): void => {
    const effects = wanted(state);
    const keys = new Set(effects.map((effect) => effect.key));
    for (const [key, cancel] of inFlight) if (!keys.has(key)) cancel();
    for (const effect of effects) if (!inFlight.has(effect.key)) begin(effect);
    if (isOver(state) && [...inFlight.keys()].every((key) => key === "finish")) dispose();
  };

  const begin = (effect: Effect): void => {
    if (effect.do === "timer") return startTimer(effect.key, effect.timer, effect.at);
    if (effect.do === "link") return startLink(effect.key, effect.host);
    if (effect.do === "finish") return finish(effect.key);
    if (effect.do === "begin-attempt") return beginAttempt(effect.attempt);
    startOnHost(effect);
  };

  const startTimer = (key: string, timer: TimerKey, at: number): void => {
    const end = once(key, () => clearTimeout(handle));
    const handle = setTimeout(
      () => {
        end();
        apply({ event: { at: now(), type: "timer", key: timer } });
      },
      Math.min(Math.max(0, at - now()), 2 ** 31 - 1),
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
      from: nextAgentEvent(journal.lines, name),
      record,
      apply,
      onBytes: deps.onBytes,
      notice: (text) => deps.notice(name, text),
      stage: () => state.hosts[name]?.stage ?? "waiting",
      isDrained: () => ["drained", "forgot"].includes(state.hosts[name]?.stage ?? ""),
      attempt: () => state.attempt,
      ready: reconcile,
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
    const intake = intakes.get(effect.host);
    const linked = intake?.linked();
    const host = state.spec.hosts.find((h) => h.name === effect.host);
    if (linked === undefined || linked === null || host === undefined) return; // wanted still when the link is back
    const end = once(effect.key, () => undefined);
    const work = { state, host, linked, record: record(), lent, snapshot: deps.snapshot, plan, notice: (text: string) => deps.notice(host.name, text), now };
    perform(effect, work).then(
      (events) => {
        if (effect.do !== "stop") end(); // a stop stays under way until its receipt
        apply(...events.map((event) => ({ event })));
      },
      (error: unknown) => {
        end();
        failed(effect, error);
      },
    );
  };

  const failed = (effect: HostEffect, error: unknown): void => {
    if (disposed || (error instanceof NexaError && error.code === "LINK_LOST")) return; // done again when the link is back
    if (!(error instanceof NexaError)) console.error(error);
    const problem = toProblem(error, effect.host);
    if (effect.do === "prepare" || effect.do === "arm" || effect.do === "launch")
      apply({ event: { at: now(), type: "host-failed", host: effect.host, during: effect.do, problem } });
    else if (effect.do === "forget") apply({ event: { at: now(), type: "host-forgot", host: effect.host } });
    else deps.notice(effect.host, problem.message);
  };

  const beginAttempt = (attempt: number): void => {
    const end = once(`begin-attempt:${attempt}`, () => undefined);
    const refuse = (host: string, problem: Problem): void => apply({ event: { at: now(), type: "host-failed", host, during: "arm", problem } });
    addresses().then(
      (found) => {
        const refusal = differingScripts(state) ?? refusalOf(state, found);
        if (refusal !== null) return refuse(refusal.host, refusal.problem);
        const layout = layOut(state);
        const rdzvId = `${state.spec.run}-a${attempt}-${randomBytes(4).toString("hex")}`;
        if (layout.ok) apply({ event: { at: now(), type: "attempt-begun", attempt, rdzvId, world: layout.world } });
      },
      (error: unknown) => {
        end();
        refuse(state.members[0] ?? "", toProblem(error));
      },
    );
  };

  const addresses = async (): Promise<Addresses> => {
    const names = memberSpecs(state).filter((host) => isIP(host.address) === 0);
    return Object.fromEntries(await Promise.all(names.map(async (host) => [host.name, await resolveName(host.address)] as const)));
  };

  const plan = async (): Promise<AttemptPlan> => {
    const made = planOf(state, await addresses());
    await writeFile(join(deps.dir, "plan.json"), formatPlanJson(made), { mode: 0o600 });
    return made;
  };

  const record = (): RunRecord => recordOf(state, deps.controller, journal.lines.length);

  const finish = (key: string): void => {
    once(key, () => undefined);
    writeManifest(deps.dir, state);
    forgetSecrets(state.spec.run);
  };

  const dispose = (): void => {
    if (disposed) return;
    disposed = true;
    for (const cancel of [...inFlight.values()]) cancel();
    deps.onDone();
  };

  writeManifest(deps.dir, state);
  queueMicrotask(flush);
  return { state: () => state, apply: (event) => apply({ event }), lend: (given) => (lent = given), dispose };
}

/** Under --no-sync every host must hold the same script. */
function differingScripts(state: RunState): { readonly host: string; readonly problem: Problem } | null {
  const hashes = membersOf(state).map((h) => [h.name, h.scriptSha256] as const);
  if (new Set(hashes.map(([, hash]) => hash)).size <= 1) return null;
  const what = hashes.map(([name, hash]) => `${name} ${hash?.slice(0, 12) ?? "has none"}`).join(", ");
  return { host: state.members[0] ?? "", problem: toProblem(fail("CODE_DIFFERS", { what })) };
}

const resolveName = (name: string): Promise<string[]> =>
  lookup(name, { all: true }).then(
    (found) => found.map(({ address }) => address),
    () => [],
  );

/** Index of the first event of this host's agent that is not in the journal. */
export function nextAgentEvent(lines: readonly JournalLine[], host: string): number {
  return lines.reduce((next, { cursor }) => (cursor?.host === host ? Math.max(next, cursor.index + 1) : next), 0);
}
