/** What is known of an attempt that ended: everything the root cause is derived from, gathered by the controller, from hosts that are not trusted. */

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
};

export type LauncherExit = { readonly host: string; readonly code: number | null; readonly signal: string | null; readonly heardAt: number };

export type HostTrouble = {
  readonly host: string;
  readonly kind: "lost" | "rebooted" | "shim-lost" | "unseen" | "gap";
  readonly why: string;
  readonly heardAt: number;
};

/** The end of one stream: "rank3.err", "launcher.err". `rank` null: the launcher's. */
export type Tail = { readonly host: string; readonly stream: string; readonly rank: number | null; readonly text: string };

/** What torch.distributed.elastic's `record` wrote. `at`: host's clock, ms; 0: not told. */
export type ErrorFile = { readonly host: string; readonly rank: number; readonly message: string; readonly callstack: string; readonly at: number };

/** A line of the host's kernel log. `at`: host's clock, ms; null: not told. */
export type KernelLine = { readonly host: string; readonly at: number | null; readonly text: string };

/** Processes that the kernel killed in the cgroup of the attempt. */
export type OomCount = { readonly host: string; readonly kills: number };

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
  /** Host's clock less the controller's, ms, where it was asked: makes `seenAt` of hosts comparable. */
  readonly clockOffsetMs: Readonly<Record<string, number>>;
  /** Why we ended it ourselves, when we did before anything had failed: "hang", "start". */
  readonly ended: { readonly why: "hang" | "start"; readonly text: string } | null;
  /** When the first failure was heard of, controller's clock; exits later than that may be our own stop. null: not known. */
  readonly failedAt: number | null;
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
  clockOffsetMs: {},
  ended: null,
  failedAt: null,
};
