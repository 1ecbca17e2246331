/** One fault on a run that trains: made, watched, undone, and everything compared with what must come of it. */

import { replay } from "../../cluster/run/reduce.ts";
import { hostsOf, type RunState } from "../../cluster/run/state.ts";
import { until } from "../support/controller.ts";
import { isShim, ofRuns, type Seen } from "../support/lab-processes.ts";
import type { Fault, Strike } from "./fault.ts";
import { checkLog } from "./logs.ts";
import type { Luck } from "./luck.ts";
import type { Note } from "./trainer.ts";
import { tellPast, type World } from "./world.ts";

export type Result = {
  readonly fault: string;
  readonly who: string;
  readonly run: string;
  readonly attempt: number;
  readonly outcome: string;
  /** From the fault to the event that tells of it; null: nothing did, or nothing had to. */
  readonly detectMs: number | null;
  /** From the fault to the first step of the last rank of the next attempt; untouched: from the cure to all hosts seen. */
  readonly recoverMs: number | null;
  readonly surprises: readonly string[];
  /** What the journal says of it, ms from the fault. */
  readonly timeline: string;
};

/** Nobody sees all of a host at once: what is ending there may take so long. */
const SETTLE_MS = 30_000;

type Notes = ReadonlyMap<number, Note>;

export async function tryFault(world: World, fault: Fault, luck: Luck): Promise<Result> {
  let state = await world.train(false);
  if (fault.fits?.(world, state) === false) state = await world.train(true);
  const { run } = state.spec;
  const { attempt } = state;
  const surprises: string[] = [];
  const before = await notesOf(world, run, state);
  const from = world.events(run).length;
  const strike = await fault.strike(world, state, luck);
  let outcome = "";
  let recoverMs: number | null = null;
  try {
    if (fault.undoWhen === "at once") await strike.undo?.();
    if (fault.expect === "restart") {
      const next = await world.stepping(run, attempt + 1, 3);
      recoverMs = Math.max(...[...(await notesOf(world, run, next)).values()].map((note) => note.firstAt)) - strike.at;
      outcome = `trains in attempt ${attempt + 1}`;
    }
  } finally {
    if (fault.undoWhen !== "at once") await strike.undo?.();
  }
  const curedAt = Date.now();
  const after = await allSeen(world, run);
  if (fault.expect === "untouched") {
    recoverMs = Date.now() - curedAt;
    surprises.push(...(await touched(world, run, state, before)));
    outcome = surprises.length === 0 ? "untouched" : "touched";
  }
  surprises.push(...wrongCause(fault, strike, state, after), ...(await leftovers(world, run, state, after)));
  if (after.attempt !== attempt + (fault.expect === "restart" ? 1 : 0)) surprises.push(`it is in attempt ${after.attempt}: ${tellPast(after)}`);
  for (const rank of Object.values(state.ranks)) {
    const size = before.get(rank.rank)?.size ?? 0;
    const last = (await world.note(run, attempt, rank))?.size ?? size;
    const isGone = strike.gone?.includes(rank.host) === true;
    surprises.push(...(await checkLog(world, { run, attempt, rank }, isGone ? 0 : last, { lackEnd: isGone, gap: fault.mayGap === true })));
  }
  const seen = world.events(run);
  return {
    fault: fault.name,
    who: strike.who,
    run,
    attempt,
    outcome,
    detectMs: detected(fault, seen, from, strike),
    recoverMs,
    surprises,
    timeline: timelineOf(seen.slice(from), strike.at),
  };
}

async function notesOf(world: World, run: string, state: RunState): Promise<Notes> {
  const notes = new Map<number, Note>();
  for (const rank of Object.values(state.ranks)) {
    const note = await world.note(run, state.attempt, rank);
    if (note !== null) notes.set(rank.rank, note);
  }
  return notes;
}

/** Every host is heard, and those that were given up have ended what they had. */
const allSeen = (world: World, run: string): Promise<RunState> =>
  world.wait(run, "all hosts are seen and settled", (_, now) => {
    const isSettled = hostsOf(now).every((each) => each.seen && each.lost === null && (!each.mayRun || now.members.includes(each.name)));
    return now.phase === "running" && isSettled ? now : null;
  });

/** The same processes, and all of them step. */
async function touched(world: World, run: string, state: RunState, before: Notes): Promise<string[]> {
  const wrong: string[] = [];
  for (const rank of Object.values(state.ranks)) {
    const at = (await world.note(run, state.attempt, rank))?.size ?? 0;
    const isStepping = async (): Promise<boolean> => ((await world.note(run, state.attempt, rank))?.size ?? 0) > at;
    await until(`rank ${rank.rank} steps on`, isStepping, SETTLE_MS).catch((error: unknown) => wrong.push(String(error)));
    const note = await world.note(run, state.attempt, rank);
    if (note?.pid !== before.get(rank.rank)?.pid) wrong.push(`rank ${rank.rank} is another process`);
  }
  return wrong;
}

function wrongCause(fault: Fault, strike: Strike, { attempt }: RunState, after: RunState): string[] {
  const past = after.past.find((each) => each.attempt === attempt);
  if (past === undefined) return [];
  const { kind, rank, host, text } = past.cause;
  const wrong: string[] = [];
  if (fault.kinds !== undefined && !fault.kinds.includes(kind)) wrong.push(`its cause is said to be ${kind}: ${text}`);
  else if (strike.rank !== undefined && rank !== strike.rank) wrong.push(`rank ${rank} is blamed: ${text}`);
  else if (strike.host !== undefined && host !== strike.host) wrong.push(`${host} is blamed: ${text}`);
  return wrong;
}

/** Of attempts before the present one nothing is alive; on hosts without ranks, nothing at all. */
async function leftovers(world: World, run: string, { spec }: RunState, now: RunState): Promise<string[]> {
  const wrong: string[] = [];
  for (const { name } of spec.hosts) {
    const isOld = (each: Seen): boolean => !now.members.includes(name) || attemptOf(each, run) !== now.attempt;
    let left: readonly Seen[] = [];
    const isClean = async (): Promise<boolean> => {
      left = ofRuns(await world.processes(name), run).filter(isOld);
      return left.length === 0;
    };
    await until("nothing of before", isClean, SETTLE_MS).catch(() =>
      wrong.push(`alive on ${name}: ${left.map((each) => `${each.pid} ${each.argv.slice(0, 80)}`).join(", ")}`),
    );
  }
  return wrong;
}

const timelineOf = (events: ReturnType<World["events"]>, at: number): string =>
  events
    .slice(0, 40)
    .map((event) => `${event.type} ${event.at - at}`)
    .join(", ");

/** owner/run/attempt/host in its mark; a shim has a directory of the attempt among its arguments. */
const attemptOf = (each: Seen, run: string): number =>
  isShim(each) ? Number(/\/a(\d+)(?:[/ ]|$)/.exec(each.argv)?.[1]) : Number(each.mark.split(`/${run}/`)[1]?.split("/")[0]);

function detected(fault: Fault, events: ReturnType<World["events"]>, from: number, strike: Strike): number | null {
  for (let n = from; n < events.length; n += 1) {
    const event = events[n];
    if (event === undefined) continue;
    if (fault.sign !== undefined) {
      if (fault.sign(event)) return event.at - strike.at;
    } else if (replay(events.slice(0, n + 1)).trouble !== null) return event.at - strike.at;
  }
  return null;
}
