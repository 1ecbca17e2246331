/** What is known of an attempt that ended: everything the root cause is derived from, gathered by the controller, from hosts that are not trusted. */

import type { Way } from "../diag/pairs/attribute.ts";

/** `seenAt`: the host's own clock; `heardAt`: the controller's clock when word of it came. Both in ms since epoch. */
export type RankExit = {
  readonly rank: number;
  readonly host: string;
  /** Status, or null when it was a signal or is unknown. */
  readonly code: number | null;
  readonly signal: string | null;
  readonly seenAt: number;
  readonly heardAt: number;
  readonly pid: number;
  /** The shim was ending the attempt on this host when the rank ended. */
  readonly isStopped: boolean;
};

export type LauncherExit = {
  readonly host: string;
  readonly code: number | null;
  readonly signal: string | null;
  readonly heardAt: number;
  readonly isStopped: boolean;
};

export type HostTrouble = {
  readonly host: string;
  readonly kind: "lost" | "rebooted" | "shim-lost";
  readonly why: string;
  /** Since when, at the latest: the controller's clock. */
  readonly since: number;
};

/** The end of one stream: "rank3.err", "launcher.err". `rank` null: the launcher's. */
export type Tail = { readonly host: string; readonly stream: string; readonly rank: number | null; readonly text: string };

/** What torch.distributed.elastic's `record` wrote. `at`: host's clock, ms; 0: not told. */
export type ErrorFile = { readonly host: string; readonly rank: number; readonly message: string; readonly callstack: string; readonly at: number };

/** A line of the host's kernel log. `at`: host's clock, ms; null: not told. */
export type KernelLine = { readonly host: string; readonly at: number | null; readonly text: string };

/** Processes that the kernel killed for want of memory where the attempt ran. */
export type OomCount = { readonly host: string; readonly kills: number };

/** A directory that a run writes to, on a disk without room. */
export type FullDisk = { readonly host: string; readonly path: string };

export type Evidence = {
  /** Number of ranks; 0: none was started. */
  readonly world: number;
  readonly exits: readonly RankExit[];
  /** PIDs of all ranks that were started. */
  readonly ranks: readonly { readonly rank: number; readonly host: string; readonly pid: number }[];
  readonly launchers: readonly LauncherExit[];
  readonly troubles: readonly HostTrouble[];
  readonly errorFiles: readonly ErrorFile[];
  readonly tails: readonly Tail[];
  readonly kernel: readonly KernelLine[];
  readonly ooms: readonly OomCount[];
  readonly fullDisks: readonly FullDisk[];
  /** Who reached whom after the attempt had ended. */
  readonly ways: readonly Way[];
  /** Host's clock less the controller's, ms, where it was asked: makes `seenAt` of hosts comparable. */
  readonly clockOffsetMs: Readonly<Record<string, number>>;
  /** Why we ended it ourselves before anything was seen to fail. */
  readonly ended: {
    readonly kind: "hang" | "start";
    readonly text: string;
    readonly host: string | null;
    readonly rank: number | null;
    readonly code: string | null;
  } | null;
  readonly launcher: string;
};

export const NO_EVIDENCE: Evidence = {
  world: 0,
  exits: [],
  ranks: [],
  launchers: [],
  troubles: [],
  errorFiles: [],
  tails: [],
  kernel: [],
  ooms: [],
  fullDisks: [],
  ways: [],
  clockOffsetMs: {},
  ended: null,
  launcher: "torchrun",
};
