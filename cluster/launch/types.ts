/** The plan of one attempt: what is started where, with which variables and why. Plain data. */

import type { RankAssignment } from "../ranks.ts";
import type { Checkpoint } from "../run/cause.ts";
import type { NcclLevel } from "../run/nccl-level.ts";
import type { Spawn } from "../shim-contract.ts";
import type { HostFacts, HostSpec, Launcher, RunSpec } from "../spec.ts";
import type { ArgvPart } from "./argv.ts";
import type { ShellText } from "./quote.ts";

export type PlanDirs = {
  /** Where our Python files lie on the host; null in a dry run. */
  readonly bundle: string | null;
  /** ATTEMPT of the shim's contract. */
  readonly attempt: string;
  readonly socket: string;
  /** The job's working directory; null: not known (dry run of a snapshot). */
  readonly job: string | null;
  /** {scratch}/{run}, under which rank_{n} exist; null: none. */
  readonly scratch: string | null;
};

export type PlanHost = {
  readonly host: HostSpec;
  /** null: the host was not reached (dry run only). */
  readonly facts: HostFacts | null;
  readonly dirs: PlanDirs;
  /** UUIDs of the GPUs that are the run's; null or absent: not known (dry run). */
  readonly claimed?: readonly string[] | null;
  /** The job's python after `setup`; null: the one in the facts. */
  readonly python: string | null;
  /** What the launcher imports and that python does not have; null or absent: nobody asked it. */
  readonly lacks?: readonly string[] | null;
  /** Numeric addresses that `host.address` resolves to, where it is a name. */
  readonly addresses?: readonly string[];
  /** Names of variables that the session or `setup` has set: no default of ours replaces them. */
  readonly sessionNames?: readonly string[];
};

export type PlanInput = {
  readonly spec: RunSpec;
  readonly hosts: readonly PlanHost[];
  readonly attempt: number;
  /** To go on from; absent or null: from the beginning. */
  readonly checkpoint?: Checkpoint | null;
  readonly rdzvId: string;
  readonly ports: { readonly rdzv: number; readonly master: number };
  /** No rank of the run uses a GPU, whatever the hosts have. */
  readonly cpuOnly: boolean;
  /** Asked for by a person while the run went on; absent or null: what the file says. */
  readonly ncclLevel?: NcclLevel | null;
};

/** One variable of the ranks' environment. `secret`: its value travels apart and is not in the plan. */
export type PlanVar = { readonly name: string; readonly reason: string } & ({ readonly value: string } | { readonly secret: true });

export type Unset = { readonly pattern: string; readonly reason: string };

/** One process that a launcher wants on a host. */
export type PlannedProcess = {
  readonly role: Spawn["role"];
  readonly rank: number | null;
  readonly localRank: number | null;
  readonly argv: readonly string[];
  /** Variables of this process alone. */
  readonly vars: readonly PlanVar[];
  /** The same without anything of ours: what a person would type, part by part. */
  readonly plain: readonly ArgvPart[];
};

/** A file that a paste must make first; its path is then in this shell variable. */
export type PastedFile = { readonly variable: string; readonly fileName: string; readonly content: string };

export type HostPlan = {
  readonly name: string;
  readonly at: RankAssignment;
  readonly ranks: readonly { readonly rank: number; readonly localRank: number }[];
  readonly gpus: readonly ChosenGpu[];
  readonly vars: readonly PlanVar[];
  readonly unset: readonly Unset[];
  readonly processes: readonly PlannedProcess[];
  /** For the shim: our variables only; the agent puts them over the session's. */
  readonly spawns: readonly Spawn[];
  readonly cwd: string | null;
  /** The file's lines for bash that come first; `up` has run them in `prepare`, a paste runs them itself. */
  readonly setup: string | null;
  readonly pasted: PastedFile | null;
  /** What a person should know: unknown, unusual, overridden. */
  readonly notes: readonly string[];
};

export type AttemptPlan = {
  readonly run: string;
  readonly attempt: number;
  readonly launcher: Launcher;
  readonly worldSize: number;
  readonly hosts: readonly HostPlan[];
};

/** index null: a MIG slice, which nvidia-smi's list of GPUs does not number. */
export type ChosenGpu = { readonly index: number | null; readonly uuid: string };

/** What a launcher sees of one host. */
export type LaunchContext = {
  readonly input: PlanInput;
  readonly at: PlanHost;
  readonly place: RankAssignment;
  readonly places: readonly RankAssignment[];
  /** Where rank 0 runs. */
  readonly masterAddress: string;
  /** Index of the host that holds the rendezvous' store. */
  readonly rdzvIndex: number;
  readonly rdzvAddress: string;
  /** Left to the shell only where the host was not asked. */
  readonly python: string | ShellText;
  readonly onCpu: boolean;
};

export type LauncherPart = {
  readonly vars: readonly PlanVar[];
  readonly processes: readonly PlannedProcess[];
  readonly pasted: PastedFile | null;
  readonly notes: readonly string[];
};

export type LauncherPlanner = (context: LaunchContext) => LauncherPart;
