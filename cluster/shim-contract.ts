/**
 * What passes between an agent and the shims of its host, all through files and one small socket, so that either side may die.
 *
 *   ATTEMPT/                        state dir of one attempt on one host
 *     arm.json     (in)             ArmSpec, 0600, sealed (sealed-line.ts); arm.copy.json is the same again, for a disk that lost one
 *     events.jsonl (out)            one ShimEvent a line, each sealed; `index` grows by one from 0, written (fsync) before anything is said on the socket
 *     rank3.out rank3.err           a rank's own files, opened for append by its prologue
 *     rank3.nccl                    NCCL_DEBUG_FILE of that rank, when NCCL_DEBUG is on
 *     launcher.out launcher.err     of torchrun, accelerate or the supervisor itself
 *     error/rank3.json              TORCHELASTIC_ERROR_FILE
 *     pids.jsonl                    everything started or found, before it may run: {pid,start,role,rank}, {cgroup}, {stopGraceMs}; for a sweep without the shim
 *     shim.log                      the shim's own words
 *     lock                          flock held by the shim for as long as it lives
 *
 * `python3 -I -S shim.py ARM_JSON_PATH` returns when the shim is armed (or cannot be): it prints the `armed` or `arm-failed` event, exit 0 or 1. The other modules
 * shim_*.py lie beside it. LOCKED (and DIR) appear only there: the living shim's files are not touched, and its socket answers. No `ended` follows an `arm-failed`.
 * `python3 -I -S shim.py --sweep ARM_JSON_PATH [GRACE_MS]` ends what a lost shim left (grace: as launched; SIGTERM to it: none any more) and prints a Receipt;
 * exit 1 and no receipt when the shim lives.
 *
 * Socket (unix, stream, 0600, path in ArmSpec.socket): JSON lines. Anyone who connects sends first
 *   {"hello":"agent","from":N}   → shim replays events N.. and then pushes each new one as it happens, and takes ShimCommand lines
 *   {"hello":"rank","rank":R,"localRank":L,"pid":P,"start":TICKS}  (a prologue) → shim opens a pidfd, records, answers {"ok":true}
 */

export type ArmSpec = {
  readonly run: string;
  readonly attempt: number;
  readonly host: string;
  readonly dir: string; // absolute path of ATTEMPT
  readonly socket: string; // < 100 bytes
  /** Ports to hold (bound, not listening, SO_REUSEADDR, all interfaces, IPv6 dual stack and IPv4). 0 means: choose from `portRange`. */
  readonly ports: readonly number[];
  readonly portRange: readonly [number, number];
  /** Directory of one flock file per port, shared by our own shims on this host. */
  readonly portLocks: string;
  /** Value of NEXADIST_MARK in the environment of everything started: owner/run/attempt/host. */
  readonly mark: string;
  /** Bytes kept per log file before the oldest are given back to the disk (hole punched) behind a gap record. */
  readonly quotaBytes: number;
  /** GPUs that the run has claimed, and the socket of the program that holds them; absent: none. */
  readonly claim?: { readonly socket: string; readonly gpus: readonly string[] };
};

/** One process that the shim starts itself: the launcher (torchrun, accelerate), or each rank of `direct` and `command`. */
export type Spawn = {
  readonly role: "launcher" | "rank";
  readonly rank: number | null; // global, role rank only
  readonly localRank: number | null;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>; // complete: nothing is inherited
  readonly cwd: string;
};

export type ShimCommand =
  | { readonly do: "launch"; readonly spawns: readonly Spawn[]; readonly ranks: number; readonly stopGraceMs: number }
  /** TERM the ranks (launcher frozen first), wait the grace, KILL, sweep. A second stop with a shorter grace shortens it. `now` is graceMs 0. */
  | { readonly do: "stop"; readonly graceMs: number; readonly why: string }
  /** Ports that the shim still holds are let go; the shim ends when nothing was launched. */
  | { readonly do: "disarm" };

export type ShimEvent = { readonly index: number; readonly at: number /* ms since epoch */ } & (
  | {
      readonly type: "armed";
      readonly pid: number;
      readonly start: number;
      readonly ports: readonly number[];
      readonly containment: readonly ("cgroup" | "subreaper" | "mark")[];
    }
  | { readonly type: "arm-failed"; readonly code: "PORT_BUSY" | "GPU_BUSY" | "LOCKED" | "DIR" | "OTHER"; readonly text: string; readonly port?: number }
  | {
      readonly type: "launched";
      readonly pids: readonly { readonly role: "launcher" | "rank"; readonly rank: number | null; readonly pid: number; readonly start: number }[];
    }
  | { readonly type: "launch-failed"; readonly text: string; readonly rank: number | null }
  | { readonly type: "rank-started"; readonly rank: number; readonly localRank: number; readonly pid: number; readonly start: number }
  /** code: exit status, or null when it was a signal or is unknown; signal: "SIGKILL" or null; source: how it is known ("stat": asked of the kernel). */
  | {
      readonly type: "rank-exited";
      readonly rank: number;
      readonly pid: number;
      readonly code: number | null;
      readonly signal: string | null;
      readonly source: "wait" | "stat" | "launcher" | "unknown";
      readonly coreDumped: boolean;
    }
  | { readonly type: "launcher-exited"; readonly code: number | null; readonly signal: string | null }
  | { readonly type: "stopping"; readonly why: string; readonly graceMs: number }
  | { readonly type: "gap"; readonly file: string; readonly from: number; readonly to: number; readonly why: "quota" | "disk-full" }
  /** Last event: nothing of the attempt is left, or what is and why. */
  | { readonly type: "ended"; readonly receipt: Receipt }
);

/** The proof that an attempt is over on one host. */
export type Receipt = {
  readonly signalled: number;
  readonly exited: number;
  readonly killed: number;
  /** How many of the killed were launchers: those are held still and go last, whatever their ranks do. Absent: not known. */
  readonly killedLaunchers?: number;
  /** null: could not be found out. */
  readonly left: number | null;
  readonly leftPids: readonly { readonly pid: number; readonly start: number; readonly comm: string; readonly why: string }[];
  /** boot: the host or container was started again since, so nothing of before can be there. */
  readonly proof: readonly ("cgroup" | "subreaper" | "pids" | "mark" | "boot")[];
  /** MiB of GPU memory still used by processes of the attempt; null: unknown. */
  readonly gpuMemoryMiB: number | null;
  /** Why it is unknown. */
  readonly gpuMemoryWhy?: string;
};
