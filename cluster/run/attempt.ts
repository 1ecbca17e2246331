/** The fold's arms for attempts: how one begins, why one failed, which hosts it lost. */

import { EXIT } from "../errors.ts";
import type { Receipt } from "../shim-contract.ts";
import type { RunEvent } from "./events.ts";
import { later, mapMembers, patch } from "./host-fold.ts";
import { leaveOut } from "./leave-out.ts";
import { backoffMs, costsBudget, isReady, LONG_MS } from "./policy.ts";
import { isOver, type RunState } from "./state.ts";
import { exitOf, failed, isCurrent, troubled } from "./trouble.ts";

type Of<T extends RunEvent["type"]> = RunEvent & { readonly type: T };

/** The first when all is prepared; another when nothing of the one before is alive on a host that takes part. */
export function attemptBegun(state: RunState, event: Of<"attempt-begun">): RunState {
  const { attempt, members } = event;
  // Also from a journal of before claims, where nothing says that GPUs were had.
  const isFirst = attempt === 1 && state.attemptAt === null && (state.phase === "arming" || state.phase === "preparing");
  const isNext = attempt === state.attempt + 1 && state.phase === "recovering" && state.cause !== null;
  const areReady = members.length > 0 && members.every((name) => isReadyNow(state, name));
  if (!areReady || !(isFirst || isNext)) return state;
  const fresh: RunState = {
    ...state,
    phase: "arming",
    attempt,
    attemptAt: event.at,
    rdzvId: event.rdzvId,
    world: event.world,
    members,
    nproc: event.nproc ?? [],
    ranks: {},
    trouble: null,
    cause: null,
    recoverAt: null,
    checkpoint: event.checkpoint,
    hang: null,
    ...(state.nccl === undefined ? {} : { nccl: { ...state.nccl, now: state.nccl.next } }),
    queue: null,
    due: [],
  };
  return mapMembers(fresh, (h) => ({
    ...h,
    attempt,
    stage: "prepared",
    mayRun: true,
    receipt: null,
    launcherExit: null,
    armed: null,
    problem: null,
  }));
}

function isReadyNow(state: RunState, name: string): boolean {
  const host = state.hosts[name];
  // The first attempt also begins with a host that has just gone silent: arming waits for it.
  return host !== undefined && (isReady(host) || (state.attempt === 0 && host.dir !== null));
}

export function diagnosed(state: RunState, event: Of<"attempt-diagnosed">): RunState {
  const { cause, checkpoint, at } = event;
  if (state.phase !== "recovering" || state.cause !== null) return state;
  const hasProgressed = checkpoint !== null && checkpoint.step > (state.checkpoint?.step ?? -1);
  const isRefilled = hasProgressed || at - (state.attemptAt ?? at) >= LONG_MS;
  const spent = (isRefilled ? 0 : state.spent) + (costsBudget(cause) ? 1 : 0);
  const past = [...state.past, { attempt: state.attempt, world: state.world, endedAt: at, cause, hasProgressed }];
  const recoverAt = at + backoffMs(state.spec.restart, cause, spent, event.jitter);
  const next: RunState = { ...state, cause, past, spent, recoverAt };
  const isHosts = cause.kind === "gpu" || cause.kind === "host-rebooted" || cause.kind === "host-lost";
  return isHosts && cause.host !== null ? patch(next, cause.host, (h) => ({ faults: h.faults + 1 })) : next;
}

/** Given up, though something of the attempt may be alive there; an attempt that it takes part in is over by that. */
export function hostLost(state: RunState, event: Of<"host-lost">): RunState {
  const host = state.hosts[event.host];
  if (host === undefined || host.seen || host.lost !== null || state.attempt === 0 || !state.members.includes(event.host)) return state;
  if (host.receipt !== null && state.phase !== "recovering") return state;
  const next = patch(state, event.host, (h) => ({ lost: event.why, claim: null, receipt: h.mayRun ? "unknown" : h.receipt }));
  const { at } = event;
  return troubled(next, {
    kind: "host-lost",
    at,
    host: event.host,
    rank: null,
    text: `${event.host} is lost: ${event.why}`,
    exit: EXIT.runFailed,
    problem: null,
  });
}

/** What a host could not do: before the first attempt that ends the run, later only the attempt. */
export function hostFailed(state: RunState, event: Of<"host-failed">): RunState {
  const { problem, host: name, at } = event;
  const without = leaveOut(state, name, problem);
  if (without !== null) return without;
  const text = problem.message.includes(name) ? problem.message : `${name}: ${problem.message}`;
  const failure = { at, host: name, rank: null, text, exit: exitOf(problem), problem };
  const next = patch(state, name, (h) => ({ problem, claim: problem.code === "GPUS_TAKEN" ? null : h.claim }));
  if (event.during === "prepare" && (state.attempt > 0 || !state.members.includes(name))) return patch(next, name, () => ({ lost: problem.message }));
  return state.attempt > 1 && state.phase !== "recovering" ? troubled(next, { ...failure, kind: "start" }) : failed(next, failure);
}

/** Its agent knows nothing of the run: what travels to a host must go there again. */
export function hostRebooted(state: RunState, event: Of<"host-rebooted">): RunState {
  const receipt: Receipt = { signalled: 0, exited: 0, killed: 0, left: 0, leftPids: [], proof: ["boot"], gpuMemoryMiB: null };
  const host = state.hosts[event.host];
  if (host === undefined) return state;
  const isEnding = isOver(state) || state.verdict !== null;
  const next = patch(state, event.host, (h) => ({
    agent: event.agent,
    lost: null,
    claim: null,
    ...(h.mayRun ? { receipt, mayRun: false } : {}),
    ...(isEnding ? { stage: h.mayRun ? later(h.stage, "drained") : h.stage } : { stage: "connected", dir: null }),
  }));
  if (!host.mayRun || host.lost !== null || !isCurrent(state, event.host)) return next;
  return troubled(next, {
    kind: "host-rebooted",
    at: event.at,
    host: event.host,
    rank: null,
    text: `${event.host} was started again: its ranks are gone`,
    exit: EXIT.runFailed,
    problem: null,
  });
}

/** Only told, unless the file asks for more. */
export function hangFound(state: RunState, event: Of<"hang-found">): RunState {
  const { verdict, at } = event;
  if (state.phase !== "running") return state;
  const next: RunState = { ...state, hang: verdict };
  if (state.spec.restart.onHang === "report") return next;
  return troubled(next, { kind: "hang", at, host: verdict.host, rank: verdict.rank, text: verdict.text, exit: EXIT.runFailed, problem: null });
}
