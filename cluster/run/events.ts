/** Everything that can happen to a run. Events are facts, journaled before any effect; the state of a run is a fold over them. */

import type { Problem } from "../errors.ts";
import type { Receipt } from "../shim-contract.ts";
import type { HostFacts, RunSpec } from "../spec.ts";
import type { RunFinding } from "../telemetry/condition.ts";
import type { Act } from "./act.ts";
import type { Cause, Checkpoint } from "./cause.ts";
import type { Knock } from "./loss.ts";
import type { PreflightFinding } from "./preflight.ts";
import type { RecordedState, RecordKey } from "./state.ts";

/** Where an agent keeps things on its host. */
export type AgentDirs = { readonly bundle: string; readonly state: string; readonly runtime: string };

export type RunEvent = { readonly at: number /* ms since epoch, the controller's clock */ } & (
  | { readonly type: "requested"; readonly spec: RunSpec; readonly by: string }
  | {
      readonly type: "host-connected";
      readonly host: string;
      readonly facts: HostFacts;
      readonly dirs: AgentDirs;
      readonly agent: { readonly key: string; readonly bundle: string; readonly pid: number };
      readonly driver: string;
      readonly why: string;
      /** What SSH dialled; null: this machine itself. */
      readonly dialled: string | null;
      readonly sshPort?: number | null;
      /** Where it was prepared already, for the controller before this one. */
      readonly sessionNames?: readonly string[];
    }
  /** It could not be reached or made ready within the connect time. */
  | { readonly type: "host-refused"; readonly host: string; readonly problem: Problem }
  /** The link to the agent went silent or broke; nothing is decided on this alone. */
  | { readonly type: "host-unseen"; readonly host: string; readonly why: string; readonly kind?: UnseenKind; readonly hint?: string }
  | { readonly type: "host-seen"; readonly host: string }
  /** What the other hosts see of one that is silent; told when it changes. `by`: those that saw it; "nobody": none could be asked. */
  | { readonly type: "host-witnessed"; readonly host: string; readonly saw: Witnessed; readonly by: readonly string[] }
  | {
      readonly type: "host-prepared";
      readonly host: string;
      readonly dir: string;
      readonly python: string | null;
      /** What the launcher imports and this python does not have; null or absent: not known. */
      readonly lacks?: readonly string[] | null | undefined;
      readonly scratch: string | null;
      readonly notes: readonly string[];
      /** Variables that the session or `setup` has set there. */
      readonly sessionNames: readonly string[];
      /** Of the script under --no-sync: equal on all hosts, or the run does not start. */
      readonly scriptSha256: string | null;
    }
  | { readonly type: "host-failed"; readonly host: string; readonly during: "prepare" | "claim" | "arm" | "launch"; readonly problem: Problem }
  /** GPUs of these hosts are the run's until it is over, each in the order of the ranks. */
  | { readonly type: "gpus-claimed"; readonly claims: Readonly<Record<string, { readonly gpus: readonly string[]; readonly notes: readonly string[] }>> }
  /** Not all that it needs are free, and it waits for them: host → who has them. */
  | { readonly type: "gpus-busy"; readonly busy: Readonly<Record<string, string>> }
  /** What the quick checks of diag found. */
  | { readonly type: "preflight-done"; readonly findings: readonly PreflightFinding[] }
  /** Ids and ports of a new attempt; randomness enters the run here. Ports of 0 are chosen by the shim of the host that holds them. */
  | {
      readonly type: "attempt-begun";
      readonly attempt: number;
      readonly rdzvId: string;
      readonly world: number;
      /** In the order of their ranks. */
      readonly members: readonly string[];
      /** What the ranks are told to go on from. */
      readonly checkpoint: Checkpoint | null;
      /** Ranks of each member: what a host shows later of its GPUs changes no rank of this attempt. */
      readonly nproc?: readonly number[];
      /** How the checkpoint was come by, and what is lost. */
      readonly notes?: readonly string[];
    }
  /** Why an attempt that is over failed. `checkpoint`: the last complete one then. `jitter`: 0 to 1, the randomness of the backoff. */
  | {
      readonly type: "attempt-diagnosed";
      readonly attempt: number;
      readonly cause: Cause;
      readonly checkpoint: Checkpoint | null;
      readonly jitter: number;
    }
  /** Silent, and a second witness says so. What runs there is given up: the host ends it before anything else when it comes back. */
  | { readonly type: "host-lost"; readonly host: string; readonly attempt: number; readonly why: string }
  /** Nothing moves any more. */
  | { readonly type: "hang-found"; readonly attempt: number; readonly verdict: HangVerdict }
  | { readonly type: "hang-over"; readonly attempt: number }
  /** Telemetry or the ranks' steps show something that somebody should look at, or do not any more. */
  | { readonly type: "finding"; readonly attempt: number; readonly finding: RunFinding }
  | {
      readonly type: "host-armed";
      readonly host: string;
      readonly attempt: number;
      readonly ports: readonly number[];
      readonly dir: string;
      readonly socket: string;
    }
  | { readonly type: "host-launched"; readonly host: string; readonly attempt: number }
  | { readonly type: "rank-started"; readonly host: string; readonly attempt: number; readonly rank: number; readonly pid: number; readonly start: number }
  | {
      readonly type: "rank-exited";
      readonly host: string;
      readonly attempt: number;
      readonly rank: number;
      readonly code: number | null;
      readonly signal: string | null;
      /** The host's own clock when the exit was seen there, ms since epoch. */
      readonly seenAt: number;
    }
  | { readonly type: "launcher-exited"; readonly host: string; readonly attempt: number; readonly code: number | null; readonly signal: string | null }
  | { readonly type: "host-stopping"; readonly host: string; readonly attempt: number; readonly why: string }
  | { readonly type: "log-gap"; readonly host: string; readonly stream: string; readonly from: number; readonly to: number; readonly why: string }
  | { readonly type: "host-ended"; readonly host: string; readonly attempt: number; readonly receipt: Receipt }
  /** All log bytes of the attempt on this host are on the controller's disk. */
  | { readonly type: "host-drained"; readonly host: string; readonly attempt: number }
  /** Another boot, or another container: what the attempt had there is gone with the old one. */
  | {
      readonly type: "host-rebooted";
      readonly host: string;
      readonly attempt: number;
      readonly agent: { readonly key: string; readonly bundle: string; readonly pid: number };
    }
  | { readonly type: "host-forgot"; readonly host: string }
  | { readonly type: "stop-requested"; readonly by: string; readonly why: string; readonly graceMs: number }
  /** A person did this to the run. Of a restart it says which attempt it ends. */
  | { readonly type: "acted"; readonly act: Act; readonly by: string }
  /** A timer of `wanted` came due. */
  | { readonly type: "timer"; readonly key: TimerKey }
  /** What travels was read on the controller's machine; after a restart the same must be found there. */
  | { readonly type: "code-taken"; readonly tree: string; readonly files: number; readonly bytes: number; readonly notes: readonly string[] }
  /** The controller's own loop stood still (a sleeping laptop, SIGSTOP): no deadline counts that time. */
  | { readonly type: "controller-woke"; readonly sleptMs: number }
  /** The controller was started again and goes on from the journal. */
  | { readonly type: "controller-started"; readonly controller: string; readonly epoch: number; readonly machine?: string }
  /** This controller leads the run from here on, from what the agents had on record. A journal may begin with it. */
  | {
      readonly type: "taken-over";
      readonly spec: RunSpec;
      readonly state: RecordedState;
      readonly by: string;
      readonly controller: string;
      readonly machine: string;
      readonly epoch: number;
      readonly from: { readonly controller: string; readonly machine: string; readonly epoch: number };
      /** What the state goes back to: see keyOf. */
      readonly base: RecordKey;
      /** This controller's own journal had lost lines: which. */
      readonly mended?: string;
    }
  /** Another controller leads it: this one does nothing for the run any more, for good. */
  | { readonly type: "fenced"; readonly controller: string; readonly machine: string; readonly epoch: number }
  /** A viewer saw at that other controller that the run is over. */
  | ({ readonly type: "ended-elsewhere" } & EndElsewhere)
);

/** auth: its host answers, but our credentials are not taken any more; that says nothing about the host. */
export type UnseenKind = "silent" | "auth";

/** owing: hosts that could not be asked then. */
export type EndElsewhere = {
  readonly phase: "succeeded" | "failed" | "stopped";
  readonly endedAt: number;
  readonly failure: string | null;
  readonly owing: readonly string[];
};

/** cut-off: most hosts are silent, so that the controller doubts itself. */
export type Witnessed = Knock | "cut-off" | "nobody";

export type HangVerdict = {
  /** One sentence: which rank is where, who waits for it. */
  readonly text: string;
  readonly host: string | null;
  readonly rank: number | null;
  readonly evidence: readonly string[];
};

/** backoff: the pause before another attempt is over. start: all ranks must have started. run: timeouts.run. stop: hosts that cannot be asked are written down as unknown. drain: logs may stay incomplete. */
export type TimerKey = "start" | "run" | "stop" | "drain" | "forget" | "backoff";
