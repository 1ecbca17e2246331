/** From two looks at ranks that have been quiet for too long to a verdict, or none: something moves. Pure. */

import type { HangVerdict } from "../run/events.ts";
import { formatDuration } from "../view/duration.ts";
import type { Look, ProcessLook } from "./look.ts";
import { isWaiting, placeOf } from "./place.ts";
import type { Overdue } from "./progress.ts";
import { explainLook } from "./verdict.ts";

/** Between the two looks. */
export const LOOK_AGAIN_MS = 5000;
/** Ranks that compute may be in an evaluation that says nothing: they are given this much, or five times the limit where that is more. */
export const BUSY_MS = 30 * 60_000;
const BUSY_FACTOR = 5;
/** Less is the life of helper threads. */
const IDLE_CPUS = 0.05;
/** Sleeps of a main thread in a second that only work explains: waits with a time limit, a data loader's say, and our own signals are far fewer. */
const SLEEPS_PER_S = 5;

/** null: not yet. */
export function judgeLooks(first: Look, second: Look, overdue: Overdue, now: number): HangVerdict | null {
  const isGiven = overdue.by === "file";
  if (second.ranks.length === 0 && !isGiven) return null; // nothing seen is nothing known
  if (overdue.onlyInCollective && !(allWait(first) && allWait(second))) return null;
  const quietMs = overdue.quietMs + Math.max(0, now - first.at);
  const isPatient = !isGiven && quietMs < Math.max(BUSY_MS, BUSY_FACTOR * overdue.limitMs);
  if (isPatient && hasMoved(first, second)) return null;
  const report = explainLook(second);
  const stage = {
    "first-step": "before the first step",
    training: "in training",
    evaluation: "since a line about evaluation",
    saving: "since a line about saving",
  }[overdue.stage];
  const source = { file: "as the file says", run: "learned from this run", default: overdue.onlyInCollective ? "the default for a collective" : "the default" }[
    overdue.by
  ];
  return {
    text: report.text,
    host: report.host,
    rank: report.rank,
    evidence: [`no progress for ${formatDuration(quietMs)} ${stage} (limit ${formatDuration(overdue.limitMs)}, ${source})`, ...report.evidence].slice(0, 40),
  };
}

/** Nobody saves or evaluates any more: every rank is where it waits for the others. */
const allWait = ({ ranks, silent }: Look): boolean => ranks.length > 0 && silent.length === 0 && ranks.every((rank) => isWaiting(placeOf(rank)));

/** Whether any rank got anywhere between the two: another stack, or, where none can be read, time on a CPU. */
export function hasMoved(first: Look, second: Look): boolean {
  return second.ranks.some((rank) => {
    const before = first.ranks.find((one) => one.rank === rank.rank);
    if (before === undefined) return true;
    const earlier = new Map(processesOf(before).map((process) => [process.pid, process]));
    return processesOf(rank).some((process) => moved(earlier.get(process.pid), process, (second.until - first.at) / 1000));
  });
}

const processesOf = ({ main, others }: Look["ranks"][number]): ProcessLook[] => [...(main === null ? [] : [main]), ...others];

/** A rank that spins in a collective keeps its stack, so the stack counts first. A new process is something that moved. */
function moved(before: ProcessLook | undefined, after: ProcessLook, seconds: number): boolean {
  if (after.state.startsWith("Z") || after.state.startsWith("T")) return false;
  if (before === undefined) return true;
  if (after.switches - before.switches > SLEEPS_PER_S * seconds) return true;
  const [earlier, later] = [stackOf(before), stackOf(after)];
  if (earlier !== null && later !== null) return earlier !== later;
  return before.cpus > IDLE_CPUS && after.cpus > IDLE_CPUS;
}

/** The stack of the main thread in one string; null: not read. */
function stackOf({ threads }: ProcessLook): string | null {
  const main = threads.find((thread) => thread.isMain);
  return main === undefined || main.frames.length === 0 ? null : main.frames.map(({ file, line, fn }) => `${file}:${line}:${fn}`).join("\n");
}
