/** Takes a run over from its agents: asks them, judges, and gives the first event of this controller's own journal of it. */

import { hostname } from "node:os";
import { fail } from "../../cluster/errors.ts";
import type { RunRecord } from "../../cluster/protocol.ts";
import type { RunEvent } from "../../cluster/run/events.ts";
import type { RecordedState, RunState } from "../../cluster/run/state.ts";
import { isOver } from "../../cluster/run/state.ts";
import { judgeTakeover, type Kept, keyOf, latestOf, reachedAs } from "../../cluster/run/takeover.ts";
import type { HostSpec, RunSpec } from "../../cluster/spec.ts";
import { ledElsewhere } from "../../cluster/view/leader.ts";
import type { FoundRun, Lent, TakenRun } from "../../cluster/viewer.ts";
import { type Answered, askHosts } from "./discover.ts";
import { machineOf } from "./who-leads.ts";

export type Wish = {
  readonly hosts: readonly HostSpec[];
  /** Id or name; null: the one that is there. */
  readonly run: string | null;
  readonly force: boolean;
  readonly file: string | null;
  readonly lent: Lent;
  readonly by: string;
};

export type TakeoverDeps = {
  readonly controller: string;
  /** As this controller drives it now; null: it does not. */
  readonly driven: (run: string) => RunState | null;
  /** Writes it down and goes on from it. */
  readonly begin: (run: string, event: RunEvent & { type: "taken-over" }, lent: Lent) => void;
  readonly notice: (host: string | null, text: string) => void;
  readonly cancelled: AbortSignal;
};

/** Errors: RUN_NOT_KEPT, TAKEN, NO_MAJORITY, USAGE when several runs fit. */
export async function takeOver(wish: Wish, deps: TakeoverDeps): Promise<TakenRun> {
  const { hosts, lent, force, by } = wish;
  for (;;) {
    const answered = await askHosts({ hosts, lent, controller: deps.controller, notice: deps.notice });
    const run = chooseRun(answered, wish);
    if (deps.driven(run) !== null) return { run, from: null, epoch: 0, isMajority: true, won: 0, hosts: 0 };
    const kept = keptOf(answered).filter(({ record }) => record.run === run);
    const reached = answered.filter(({ ok }) => ok).map(({ host }) => host);
    const verdict = judgeTakeover({ kept, reached, controller: deps.controller, force });
    switch (verdict.go) {
      case "unknown":
        throw notKept(answered, wish);
      case "minority": {
        const names = verdict.reached.join(", ");
        throw fail("NO_MAJORITY", { run, won: verdict.reached.length, hosts: verdict.hosts, names, file: wish.file ?? "FILE" });
      }
      case "led": {
        const who = nameOf(verdict.record);
        if (verdict.waitMs === null) throw fail("TAKEN", { run, who, host: verdict.host, heard: inSeconds(verdict.heardMs), file: wish.file ?? "FILE" });
        deps.notice(null, `${who} led ${run} until ${inSeconds(verdict.heardMs)} ago; taking it over in ${inSeconds(verdict.waitMs)} unless it comes back`);
        await pause(verdict.waitMs, deps.cancelled);
        continue;
      }
      case "take": {
        const { record, epoch, isMajority, won } = verdict;
        const from = { controller: record.controller, machine: machineOf(record.state), epoch: record.epoch };
        const spec = reachedAs(record.spec as RunSpec, hosts, wish.file);
        const state = record.state as RecordedState;
        const { controller } = deps;
        deps.begin(run, { at: Date.now(), type: "taken-over", spec, state, by, controller, machine: hostname(), epoch, from, base: keyOf(record) }, lent);
        return { run, from: nameOf(record), epoch, isMajority, won, hosts: verdict.hosts };
      }
    }
  }
}

/** What the hosts keep, a run each: for `ps -c FILE`. */
export async function findRuns(hosts: readonly HostSpec[], lent: Lent, controller: string, notice: TakeoverDeps["notice"]): Promise<readonly FoundRun[]> {
  const answered = await askHosts({ hosts, lent, controller, notice });
  for (const each of answered) if (!each.ok) notice(each.host, each.problem.message);
  const kept = keptOf(answered);
  return runsOf(kept).map((run) => {
    const own = kept.filter(({ record }) => record.run === run);
    const record = latestOf(own) as RunRecord;
    return { run, spec: record.spec as RunSpec, state: record.state as RecordedState, leader: nameOf(record), isLed: own.some((each) => each.isLinked) };
  });
}

const keptOf = (answered: readonly Answered[]): readonly Kept[] => answered.flatMap((each) => (each.ok ? each.kept : []));
const runsOf = (kept: readonly Kept[]): readonly string[] => [...new Set(kept.map(({ record }) => record.run))].toSorted();

function chooseRun(answered: readonly Answered[], wish: Wish): string {
  const kept = keptOf(answered);
  const { run } = wish;
  const runs = runsOf(kept);
  const nameIs = (id: string): boolean => kept.some(({ record }) => record.run === id && (record.spec as RunSpec).name === run);
  const fitting = run === null ? runs : runs.includes(run) ? [run] : runs.filter((id) => nameIs(id) || id.startsWith(run));
  const [only, another] = fitting;
  if (only === undefined) throw notKept(answered, wish);
  if (another !== undefined)
    throw fail("USAGE", { what: `the hosts keep several runs: ${fitting.join(", ")}`, fix: `nexadist takeover ${only} -c ${wish.file ?? "FILE"}` });
  return only;
}

function notKept(answered: readonly Answered[], { run, file }: Wish): Error {
  const silent = answered.filter(({ ok }) => !ok).map(({ host }) => host);
  const problem = answered.find((each) => !each.ok);
  const missing = silent.length === 0 ? "" : `; not reached: ${silent.join(", ")}${problem?.ok === false ? ` (${problem.problem.message})` : ""}`;
  return fail("RUN_NOT_KEPT", { run: run ?? "any run", file: file ?? "the cluster file", missing });
}

const inSeconds = (ms: number): string => `${Math.ceil(ms / 1000)} s`;

/** A controller, for people. */
export function nameOf({ controller, state }: RunRecord): string {
  const machine = machineOf(state);
  return machine === "" ? `controller ${controller}` : `the controller on ${machine}`;
}

function pause(ms: number, cancelled: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      clearTimeout(timer);
      reject(fail("NOT_WANTED", { host: "the run" }));
    };
    const timer = setTimeout(() => {
      cancelled.removeEventListener("abort", leave);
      resolve();
    }, ms);
    cancelled.addEventListener("abort", leave, { once: true });
  });
}

/** It may be asked to do something for the run. Errors: LED_ELSEWHERE. */
export function mustLead(state: RunState): void {
  if (state.fenced !== null && !isOver(state)) throw ledElsewhere(state.spec, state.fenced);
}
