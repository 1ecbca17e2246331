/** Variables that decide who a rank is: taken out of what a rank inherits, and not the user's to set. */

import { fail } from "../errors.ts";
import type { Unset } from "./types.ts";

const IDENTITY = [
  "RANK",
  "LOCAL_RANK",
  "WORLD_SIZE",
  "LOCAL_WORLD_SIZE",
  "GROUP_RANK",
  "GROUP_WORLD_SIZE",
  "ROLE_NAME",
  "ROLE_RANK",
  "ROLE_WORLD_SIZE",
  "NODE_RANK",
  "MASTER_ADDR",
  "MASTER_PORT",
] as const;

/** Patterns are exact names, or prefixes that end in "*". */
export const UNSET: readonly Unset[] = [
  { pattern: "PET_*", reason: "torchrun reads each of its options from PET_<OPTION>" },
  { pattern: "TORCHELASTIC_*", reason: "left by another launcher; an inherited USE_AGENT_STORE makes every rank wait for a store that nobody hosts" },
  ...IDENTITY.map((pattern) => ({ pattern, reason: "would be taken for this rank's identity" })),
  { pattern: "NEXADIST_*", reason: "of another run, or meant for the command line" },
  { pattern: "NEXA_*", reason: "of another run" },
  { pattern: "CUDA_VISIBLE_DEVICES", reason: "the cluster file says which GPUs" },
  { pattern: "OMPI_COMM_WORLD_*", reason: "accelerate and DeepSpeed take it for an MPI launch" },
  { pattern: "PMI_*", reason: "accelerate and DeepSpeed take it for an MPI launch" },
  { pattern: "MV2_COMM_WORLD_*", reason: "accelerate and DeepSpeed take it for an MPI launch" },
  { pattern: "SLURM_PROCID", reason: "Lightning prefers Slurm's rank to torch's" },
  { pattern: "SLURM_LOCALID", reason: "Lightning prefers Slurm's rank to torch's" },
  { pattern: "SLURM_NODEID", reason: "Lightning prefers Slurm's rank to torch's" },
  { pattern: "SLURM_NTASKS", reason: "Lightning takes it for a Slurm launch" },
];

const RESERVED: ReadonlySet<string> = new Set([
  ...IDENTITY,
  "TORCHELASTIC_USE_AGENT_STORE",
  "TORCHELASTIC_RUN_ID",
  "TORCHELASTIC_RESTART_COUNT",
  "TORCHELASTIC_MAX_RESTARTS",
  "TORCH_DISABLE_SHARE_RDZV_TCP_STORE",
  "PET_RDZV_ID",
]);

/** =0: the Pythons of the ranks get no hook that tells their stacks. */
const NO_STACKS = "NEXADIST_STACKS";

/** Not the user's to set. */
export const isReserved = (name: string): boolean => RESERVED.has(name) || (name.startsWith("NEXADIST_") && name !== NO_STACKS);

export function refuseReserved(names: Iterable<string>, where: string): void {
  for (const name of names) if (isReserved(name)) throw fail("ENV_RESERVED", { name, where });
}
