/** The state of a run: what a fold over its events knows. Plain data; viewers, the journal's replay and the agents' records all hold this shape. */

import type { Problem } from "../errors.ts";
import type { Receipt } from "../shim-contract.ts";
import type { HostFacts, RunSpec } from "../spec.ts";
import type { Cause, CauseKind, Checkpoint } from "./cause.ts";
import type { AgentDirs, EndElsewhere, HangVerdict, TimerKey, UnseenKind, Witnessed } from "./events.ts";
import type { FoundInRun } from "./findings.ts";
import type { NcclLevel } from "./nccl-level.ts";
import type { PreflightFinding } from "./preflight.ts";

/**
 *   connecting → preparing → arming → launching → running ─┬→ draining → succeeded
 *        │           │        ↑ │          │          │    │      ↑└───→ failed
 *        └───────────┴────────┼─┴──────────┴──────────┴→ stopping ┴────→ stopped
 *                             └────────── recovering ←───────┘
 * An attempt that got into trouble is stopped everywhere; recovering finds out why, and whether and with whom there is another.
 */
export type RunPhase =
  | "connecting"
  | "preparing"
  | "arming"
  | "launching"
  | "running"
  | "stopping"
  | "recovering"
  | "draining"
  | "succeeded"
  | "failed"
  | "stopped";
export type Verdict = "succeeded" | "failed" | "stopped";

/** How far a host has come in the current attempt. */
export type HostStage = "waiting" | "connected" | "refused" | "prepared" | "armed" | "launched" | "ended" | "drained" | "forgot";

export type HostState = {
  readonly name: string;
  readonly stage: HostStage;
  readonly seen: boolean;
  readonly unseenWhy: string;
  readonly unseenAt: number | null;
  readonly unseenKind: UnseenKind;
  /** What a person can do about it; absent or "": not known. */
  readonly unseenHint?: string;
  /** What the other hosts see of it while it is unseen, and since when. */
  readonly witness?: { readonly at: number; readonly saw: Witnessed; readonly by: readonly string[] } | null;
  /** Why it is given up; null: it is not. */
  readonly lost: string | null;
  /** A person wants it to take no part any more; `needsSpare`: and none but a spare in its place. Absent: nobody does. */
  readonly excluded?: { readonly by: string; readonly needsSpare: boolean };
  /** Attempts that ended because of this host. */
  readonly faults: number;
  /** The last attempt that it took part in; 0: none. */
  readonly attempt: number;
  readonly facts: HostFacts | null;
  readonly dirs: AgentDirs | null;
  readonly agent: { readonly key: string; readonly bundle: string; readonly pid: number } | null;
  readonly driver: string;
  readonly dialled: string | null;
  /** Where its sshd listens, for others to knock at; null: not known. */
  readonly sshPort: number | null;
  readonly why: string;
  /** What `prepare` made ready. */
  readonly dir: string | null;
  readonly python: string | null;
  readonly lacks: readonly string[] | null;
  readonly scratch: string | null;
  readonly notes: readonly string[];
  readonly sessionNames: readonly string[];
  readonly scriptSha256: string | null;
  /** UUIDs of GPUs that are claimed there; null: none yet, or CPU ranks. */
  readonly claim: readonly string[] | null;
  /** What the shim of the attempt holds and where it is. */
  readonly armed: { readonly ports: readonly number[]; readonly dir: string; readonly socket: string } | null;
  readonly problem: Problem | null;
  readonly launcherExit: { readonly code: number | null; readonly signal: string | null } | null;
  /** A launch of `attempt` may have reached the host: from then on only a receipt says that nothing is alive there. */
  readonly mayRun: boolean;
  /** null until the attempt ended there; "unknown" when the host could not be asked. */
  readonly receipt: Receipt | "unknown" | null;
};

export type RankState = {
  readonly rank: number;
  readonly host: string;
  readonly pid: number;
  readonly startedAt: number;
  readonly exit: { readonly code: number | null; readonly signal: string | null; readonly at: number } | null;
};

/** Why a run failed: the first failure that was seen. */
export type Failure = {
  readonly at: number;
  readonly host: string | null;
  readonly rank: number | null;
  readonly text: string;
  readonly exit: number;
  readonly problem: Problem | null;
};

/** What ended an attempt that should not have ended, as far as it is known at once; the cause is found when all is over. */
export type Trouble = Failure & { readonly kind: CauseKind };

export type PastAttempt = {
  readonly attempt: number;
  readonly world: number;
  readonly endedAt: number;
  readonly cause: Cause;
  /** It got further than where it began: a newer checkpoint is complete. */
  readonly hasProgressed: boolean;
};

export type RunState = {
  readonly spec: RunSpec;
  readonly by: string;
  readonly phase: RunPhase;
  readonly requestedAt: number;
  /** When connecting was over. */
  readonly connectedAt: number | null;
  readonly runningAt: number | null;
  readonly endedAt: number | null;
  /** When the present phase began: deadlines count from here. */
  readonly phaseAt: number;
  /** Deadlines count from here at the earliest: before it the controller could neither hear nor act. */
  readonly awakeSince: number;
  /** Hash of the code's tree that travels; null: none does. */
  readonly tree: string | null;
  readonly epoch: number;
  readonly controller: string;
  /** Name of the controller's machine, for people; "": not known. */
  readonly machine: string;
  /** From whom this controller took the run over; null: it was its own from the beginning. */
  readonly takeover: {
    readonly at: number;
    readonly by: string;
    readonly controller: string;
    readonly machine: string;
    readonly epoch: number;
    /** A majority of the hosts has taken this controller on. */
    readonly isWon: boolean;
    readonly base: RecordKey;
  } | null;
  /** Who leads it instead of this controller, and since when that is known here. */
  readonly fenced: {
    readonly at: number;
    readonly controller: string;
    readonly machine: string;
    readonly epoch: number;
    /** How it ended there; absent: that is not known here. */
    readonly end?: EndElsewhere;
  } | null;
  /** It waits for GPUs; null: it does not. */
  readonly queue: { readonly since: number; readonly busy: Readonly<Record<string, string>> } | null;
  /** What the quick checks of diag found before the first attempt; null: nothing yet, or nobody looked. */
  readonly preflight: { readonly findings: readonly PreflightFinding[] } | null;
  /** When all GPUs of an attempt to be were its own, last. */
  readonly claimedAt: number | null;
  readonly attempt: number;
  /** When the attempt began. */
  readonly attemptAt: number | null;
  readonly rdzvId: string;
  /** World size of the attempt; 0 before it began. */
  readonly world: number;
  readonly hosts: Readonly<Record<string, HostState>>;
  /** Hosts that take part, in the order of their ranks. */
  readonly members: readonly string[];
  /** Ranks of each member in the present attempt; empty: as many as their GPUs. */
  readonly nproc: readonly number[];
  readonly ranks: Readonly<Record<number, RankState>>;
  readonly stop: { readonly by: string; readonly why: string; readonly graceMs: number; readonly at: number } | null;
  /** Of the present attempt. */
  readonly trouble: Trouble | null;
  readonly cause: Cause | null;
  /** Attempts that failed, oldest first. */
  readonly past: readonly PastAttempt[];
  /** How much of the restart budget is used up. */
  readonly spent: number;
  /** Not before this is the next attempt begun. */
  readonly recoverAt: number | null;
  /** What the present attempt went on from. */
  readonly checkpoint: Checkpoint | null;
  readonly hang: HangVerdict | null;
  /** How many acts of people have changed it; absent: none. */
  readonly acts?: number;
  /** The level of NCCL's log that a person asked for, in the present attempt and in the next; null or absent: what the file says. */
  readonly nccl?: { readonly now: NcclLevel | null; readonly next: NcclLevel | null };
  /** What was found while it ran, the latest last; absent: nothing. */
  readonly findings?: readonly FoundInRun[];
  /** Why the run failed, for good. */
  readonly failure: Failure | null;
  readonly verdict: Verdict | null;
  /** Hosts whose logs may lack their end. */
  readonly logsIncomplete: readonly string[];
  /** Timers that came due and still count. */
  readonly due: readonly TimerKey[];
};

/** Which of two records of a run is the later one: the higher epoch, then the higher seq. */
export type RecordKey = { readonly epoch: number; readonly seq: number };

/** What agents keep of it, in a RunRecord. */
export type RecordedState = Omit<RunState, "spec">;

export const TERMINAL: ReadonlySet<RunPhase> = new Set<RunPhase>(["succeeded", "failed", "stopped"]);
export const isOver = (state: RunState): boolean => TERMINAL.has(state.phase);
/** Hosts of a run that is over that could not be asked: they are stopped as soon as they answer. */
export const owingHosts = (state: RunState): readonly HostState[] => (isOver(state) ? hostsOf(state).filter((h) => h.receipt === "unknown") : []);
export const hostsOf = (state: RunState): readonly HostState[] => state.spec.hosts.map((h) => state.hosts[h.name]).filter((h) => h !== undefined);
export const membersOf = (state: RunState): readonly HostState[] => state.members.map((name) => state.hosts[name]).filter((h) => h !== undefined);
