/** A run as it was asked for: the cluster file after defaults, ranges, --set and flags; plain data, journaled, no secret values in it. */

import type { NotifySpec } from "./notify/spec.ts";

/** Which GPUs of a host a run wants. `none` means CPU ranks: `slots` of them. */
export type GpuRequest =
  | { readonly kind: "count"; readonly count: number }
  | { readonly kind: "list"; readonly ids: readonly string[] } // indices ("0") or UUIDs ("GPU-…", "MIG-…")
  | { readonly kind: "auto" }
  | { readonly kind: "none"; readonly slots: number };

export type HostSpec = {
  /** The name people use: the `host` of the file, unique in a run. */
  readonly name: string;
  /** What SSH is given, when two entries are one machine (other user or port) and `name` had to tell them apart; absent: `name`. */
  readonly sshHost?: string;
  readonly transport: "ssh" | "local";
  /** The controller sits on it, and so reaches it without SSH; its agent is the one that SSH would find. */
  readonly isSeat?: boolean;
  readonly user?: string;
  readonly port?: number;
  /** Path on the controller's machine, absolute after resolution. */
  readonly identity?: string;
  /** What peers use to reach this host, when it is not `name`. */
  readonly address: string;
  readonly interface?: string;
  /** A python, or the directory of a virtual or conda environment; relative to the remote home. Absent: python, else python3, on PATH. */
  readonly python?: string;
  /** Lines for `bash -l` that run before the ranks; their environment is captured. */
  readonly setup?: string;
  readonly workdir?: string;
  /** In dollars. */
  readonly pricePerHour?: number;
  readonly env: Readonly<Record<string, string>>;
  readonly gpus: GpuRequest;
};

/** backend × launcher of the file folded into the one that acts. */
export type Launcher = "torchrun" | "torchrun-static" | "accelerate" | "direct" | "command";

export type Job =
  /** `program`: another one of our own that runs on hosts, without its ".py". */
  | { readonly kind: "smoke"; readonly args: readonly string[]; readonly program?: "all_reduce_probe" }
  | { readonly kind: "script"; readonly script: string; readonly args: readonly string[] }
  | { readonly kind: "module"; readonly module: string; readonly args: readonly string[] }
  | { readonly kind: "command"; readonly argv: readonly string[] };

export type Timeouts = {
  readonly connectMs: number;
  readonly startMs: number;
  readonly stopGraceMs: number;
  readonly runMs: number | null;
  /** Silence of an agent until its host counts as unseen. */
  readonly suspectMs: number;
  /** Silence until a second witness may make it lost. */
  readonly lostMs: number;
  /** Time without progress that is a hang; null: learned from the run. */
  readonly hangMs: number | null;
  /** The same before the first progress: compilation and data loading take their time. */
  readonly firstStepMs: number | null;
};

export type RestartSpec = {
  /** Attempts beyond the first that the program's own failures may cost; progress refills it. */
  readonly max: number;
  /** Before the first restart; doubles with each without progress, jitter on top. */
  readonly backoffMs: number;
  readonly onHostLoss: "wait" | "spare" | "shrink" | "fail";
  readonly onHang: "report" | "restart" | "stop";
  /** Exit codes of a rank that end the run at once. */
  readonly stopCodes: readonly number[];
  /** Exit codes that ask for another attempt, also when the same happened before. */
  readonly retryCodes: readonly number[];
};

export type RunSpec = {
  readonly schema: 1;
  /** train_20251101_143200 */
  readonly run: string;
  readonly name: string;
  /** Absolute path of the cluster file, or null when the run came from elsewhere. */
  readonly file: string | null;
  /** All of them; those that `spares` names come last and take part when they replace a lost one. */
  readonly hosts: readonly HostSpec[];
  readonly spares: readonly string[];
  readonly minHosts: number;
  /** `up --wait`: it waits for GPUs that are not free. */
  readonly waitsForGpus?: boolean;
  /** The quick checks of diag come before the first attempt; absent: nobody looks. */
  readonly preflight?: boolean;
  /** `up --force`: it starts in spite of findings that would keep it back, and beside other processes on its GPUs. */
  readonly isForced?: boolean;
  readonly launcher: Launcher;
  /** `command` only: one process per host or one per GPU/slot. */
  readonly per: "host" | "gpu";
  /** Rendezvous that the file names: a host of the cluster (its `name`) and a port (0: a fresh one); null: host 0 and a fresh port. */
  readonly rdzv: { readonly host: string; readonly port: number } | null;
  /** Inclusive range to take fresh ports from; null: 20000 to 29999 (below every ephemeral range). */
  readonly rdzvPorts: readonly [number, number] | null;
  readonly job: Job;
  /** A Hugging Face accelerate configuration, parsed; null: none given. */
  readonly accelerateConfig: Readonly<Record<string, unknown>> | null;
  readonly env: Readonly<Record<string, string>>;
  /** Names whose values are secret, by scope ("*" or a host's name); the values travel apart, see SecretValues. */
  readonly secretNames: Readonly<Record<string, readonly string[]>>;
  readonly timeouts: Timeouts;
  readonly restart: RestartSpec;
  /** Added to the job's arguments when there is a checkpoint to go on from; `{checkpoint}` in them is its path. */
  readonly resumeArgs: readonly string[];
  /** Regular expression of the file whose named groups tell a step; absent: lines are read without. */
  readonly stepPattern?: string;
  /** The host of the cluster that the controller runs on; null: wherever `up` is typed. */
  readonly seat: string | null;
  /** On 127.0.0.1 of the controller's machine; absent: nothing listens. */
  readonly metricsPort?: number;
  /** Who is told of the run's turns; absent: nobody. */
  readonly notify?: NotifySpec;
  readonly logs: { readonly quotaBytes: number };
  readonly paths: { readonly scratch?: string; readonly durable?: string; readonly shared?: string; readonly checkpoints?: string };
  readonly tags: readonly string[];
  /** snapshot: the directory `root` on the controller's machine travels, without the files `keepOut` (absolute); in-place: ranks run in `dir` on every host (--no-sync); none: nothing to ship. */
  readonly code:
    | { readonly kind: "snapshot"; readonly root: string; readonly keepOut?: readonly string[] }
    | { readonly kind: "in-place"; readonly dir: string }
    | { readonly kind: "none" };
};

/** scope ("*", a host's name, or WEBHOOKS) → variable → value. Never journaled, never in an argv. */
export type SecretValues = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** What a look at a host found; made on the host by python/host.py (`facts`), read-only. */
export type HostFacts = {
  readonly os: string; // uname -s
  readonly arch: string; // uname -m
  readonly kernel: string;
  readonly libc: { readonly kind: "glibc" | "musl" | "unknown"; readonly version: string };
  readonly hostname: string;
  readonly user: string;
  readonly uid: number;
  readonly home: string;
  readonly shell: string;
  readonly bootId: string;
  /** Where our state can live (writable, may execute), first fit of ~/.local/state/nexadist, /var/tmp, /tmp. */
  readonly stateDir: string;
  /** A word when stateDir is not under the home, else "". */
  readonly stateNote: string;
  readonly helperPython: { readonly path: string; readonly version: string };
  readonly node: { readonly path: string; readonly version: string } | null;
  /** The job's python; null with `pythonProblem` when it cannot be had. */
  readonly python: { readonly path: string; readonly version: string; readonly torch: string | null; readonly accelerate: string | null } | null;
  readonly pythonProblem: string;
  readonly interfaces: readonly { readonly name: string; readonly mtu: number; readonly up: boolean; readonly addresses: readonly string[] }[];
  /** null: no nvidia-smi or it failed (see gpuProblem). */
  readonly gpus: readonly { readonly index: number; readonly uuid: string; readonly name: string; readonly memoryMiB: number | null }[] | null;
  readonly gpuProblem: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  /** net.ipv4.ip_local_port_range */
  readonly ephemeralPorts: readonly [number, number];
  /** loginctl linger and KillUserProcesses: true, false, or null where logind is absent. */
  readonly linger: boolean | null;
  readonly killUserProcesses: boolean | null;
  /** Hashes of what we have brought there before, whole. */
  readonly present?: { readonly bundle: readonly string[]; readonly node: readonly string[] } | undefined;
};
