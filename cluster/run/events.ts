/** Everything that can happen to a run. Events are facts, journaled before any effect; the state of a run is a fold over them. */

import type { Problem } from "../errors.ts";
import type { Receipt } from "../shim-contract.ts";
import type { HostFacts, RunSpec } from "../spec.ts";

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
    }
  /** It could not be reached or made ready within the connect time. */
  | { readonly type: "host-refused"; readonly host: string; readonly problem: Problem }
  /** The link to the agent went silent or broke; nothing is decided on this alone. */
  | { readonly type: "host-unseen"; readonly host: string; readonly why: string }
  | { readonly type: "host-seen"; readonly host: string }
  | {
      readonly type: "host-prepared";
      readonly host: string;
      readonly dir: string;
      readonly python: string | null;
      readonly scratch: string | null;
      readonly notes: readonly string[];
      /** Variables that the session or `setup` has set there. */
      readonly sessionNames: readonly string[];
      /** Of the script under --no-sync: equal on all hosts, or the run does not start. */
      readonly scriptSha256: string | null;
    }
  | { readonly type: "host-failed"; readonly host: string; readonly during: "prepare" | "arm" | "launch"; readonly problem: Problem }
  /** Ids and ports of a new attempt; randomness enters the run here. Ports of 0 are chosen by the shim of the host that holds them. */
  | { readonly type: "attempt-begun"; readonly attempt: number; readonly rdzvId: string; readonly world: number }
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
  /** A timer of `wanted` came due. */
  | { readonly type: "timer"; readonly key: TimerKey }
  /** What travels was read on the controller's machine; after a restart the same must be found there. */
  | { readonly type: "code-taken"; readonly tree: string; readonly files: number; readonly bytes: number; readonly notes: readonly string[] }
  /** The controller's own loop stood still (a sleeping laptop, SIGSTOP): no deadline counts that time. */
  | { readonly type: "controller-woke"; readonly sleptMs: number }
  /** The controller was started again and goes on from the journal. */
  | { readonly type: "controller-started"; readonly controller: string; readonly epoch: number }
);

/** start: all ranks must have started. run: timeouts.run. stop: hosts that cannot be asked are written down as unknown. drain: logs may stay incomplete. */
export type TimerKey = "start" | "run" | "stop" | "drain" | "forget";
