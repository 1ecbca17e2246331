/** A user's Hugging Face accelerate configuration, made to fit the cluster file: who and where is ours, how to train is theirs. */

import { fail } from "../errors.ts";

export type AccelerateInput = {
  readonly given: Readonly<Record<string, unknown>> | null;
  readonly worldSize: number;
  readonly machines: number;
  readonly machineRank: number;
  readonly address: string;
  readonly port: number;
  /** The ranks have no GPU. */
  readonly onCpu: boolean;
};

export type AccelerateConfig = {
  readonly config: Readonly<Record<string, unknown>>;
  /** Train on the CPU: ours or the configuration's own `use_cpu`. */
  readonly onCpu: boolean;
  readonly cpuAffinity: boolean;
  readonly notes: readonly string[];
};

/** These need accelerators, and accelerate quietly trains with plain DDP where there are none. */
const NEEDS_ACCELERATOR = new Set(["FSDP", "DEEPSPEED", "MEGATRON_LM"]);
/** One process that accelerate would not distribute at all; torchrun underneath starts them like any other. */
const PLAIN = new Set(["NO", "MULTI_CPU"]);
const OTHER_LAUNCHERS = new Set(["XLA", "TPU"]);

export function fitAccelerateConfig(input: AccelerateInput): AccelerateConfig {
  const given = input.given ?? {};
  const refuse = (key: string, why: string): never => {
    throw fail("ACCELERATE_CONFIG", { key, why });
  };
  const environment = given.compute_environment ?? "LOCAL_MACHINE";
  if (environment !== "LOCAL_MACHINE") refuse("compute_environment", `${String(environment)} is not a cluster of hosts; LOCAL_MACHINE is`);
  // YAML 1.1 reads a bare NO as false.
  const type = String(given.distributed_type === false ? "NO" : (given.distributed_type ?? "MULTI_GPU"));
  if (OTHER_LAUNCHERS.has(type)) refuse("distributed_type", `${type} has a launcher of its own that nexadist does not drive`);
  if (isFilled(given.mpirun_config)) refuse("mpirun_config", "nexadist starts the ranks, not mpirun");
  for (const key of ["tpu_use_cluster", "tpu_use_sudo", "tpu_vm", "commands", "command_file"]) {
    if (isFilled(given[key])) refuse(key, "TPU pods are not hosts that nexadist can reach");
  }
  const onCpu = input.onCpu || given.use_cpu === true;
  if (onCpu && NEEDS_ACCELERATOR.has(type)) refuse("distributed_type", `accelerate has no ${type} on CPU, it would train with plain DDP and say nothing`);

  const ours = {
    num_processes: input.worldSize,
    num_machines: input.machines,
    machine_rank: input.machineRank,
    main_process_ip: input.address,
    main_process_port: input.port,
    rdzv_backend: "static",
    same_network: true,
    gpu_ids: "all",
  };
  const notes = overridden(given, ours);
  const deepspeed = given.deepspeed_config;
  if (type === "DEEPSPEED" && isRecord(deepspeed)) {
    for (const key of ["deepspeed_hostfile", "deepspeed_inclusion_filter", "deepspeed_exclusion_filter"]) {
      if (isFilled(deepspeed[key])) refuse(`deepspeed_config.${key}`, "the cluster file says which hosts");
    }
  }
  const config = {
    ...given,
    compute_environment: "LOCAL_MACHINE",
    // A CPU job must still be started as a distributed one: `use_cpu: true` runs every host alone, at world size 1.
    distributed_type: onCpu || PLAIN.has(type) ? "MULTI_GPU" : type,
    use_cpu: false,
    ...ours,
    ...(type === "DEEPSPEED" ? { deepspeed_config: { ...(isRecord(deepspeed) ? deepspeed : {}), deepspeed_multinode_launcher: "standard" } } : {}),
  };
  return { config, onCpu, cpuAffinity: given.enable_cpu_affinity === true, notes };
}

/** Files made by `accelerate config` hold these keys whatever the user meant, so a difference is worth a word and no more. */
function overridden(given: Readonly<Record<string, unknown>>, ours: Readonly<Record<string, unknown>>): string[] {
  const differing = ["num_processes", "num_machines", "main_process_ip", "main_process_port", "gpu_ids"].filter(
    (key) => isFilled(given[key]) && String(given[key]) !== String(ours[key]),
  );
  if (differing.length === 0) return [];
  return [
    `accelerate configuration: ${differing.map((key) => `${key} ${String(given[key])} is now ${String(ours[key])}`).join(", ")}, as the cluster file says`,
  ];
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

function isFilled(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (isRecord(value)) return Object.keys(value).length > 0;
  return value !== undefined && value !== null && value !== false && value !== "";
}
