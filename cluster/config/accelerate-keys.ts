/** Whether a file is an accelerate configuration: accelerate itself ends on every host at the first key that it does not know. */

import { type Located, problemIn } from "./located.ts";
import type { ConfigProblem } from "./problem.ts";

/** The fields of accelerate 1.15's ClusterConfig, what it converts, and what earlier 1.x had. */
const KEYS = new Set(
  `compute_environment distributed_type mixed_precision use_cpu debug num_processes machine_rank num_machines gpu_ids main_process_ip main_process_port
rdzv_backend same_network main_training_function enable_cpu_affinity fp8_config deepspeed_config fsdp_config parallelism_config megatron_lm_config
mpirun_config downcast_bf16 tpu_name tpu_zone tpu_use_cluster tpu_use_sudo command_file commands tpu_vm tpu_env dynamo_config fp16 dynamo_backend
ipex_config tp_config`.split(/\s+/),
);
const OURS = ["cluster", "backend", "launcher", "job", "spares", "defaults"];

export function accelerateProblems({ value, at }: Located): readonly ConfigProblem[] {
  const given = value as Readonly<Record<string, unknown>>;
  const elsewhere = given.compute_environment !== undefined && given.compute_environment !== "LOCAL_MACHINE"; // refused for that, in better words
  const unknown = elsewhere ? [] : Object.keys(given).filter((key) => !KEYS.has(key));
  const isOurs = unknown.some((key) => OURS.includes(key));
  const hint = isOurs
    ? "this looks like a cluster file of nexadist; `accelerate config` makes the other kind"
    : "remove it; `accelerate config` makes such a file";
  return unknown.slice(0, isOurs ? 1 : 5).map((key) => problemIn(at, [key], "no key of an accelerate configuration", { key: true, hint }));
}
