/** accelerate as we start it: one distributed job on CPU, and a user's FSDP configuration that arrives whole. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { fitAccelerateConfig } from "../../../cluster/launch/accelerate-config.ts";
import { planAttempt } from "../../../cluster/launch/plan.ts";
import { placed, someHost, somePlan } from "../../cluster/launch/fixtures.ts";
import { bareEnv, freePort, loopbackSpec, PYTHON, REPO, realPlan, runAll, scratchDir } from "./support.ts";

const STATE = `
from accelerate import Accelerator
a = Accelerator()
a.wait_for_everyone()
print(f"{a.distributed_type} rank {a.process_index}/{a.num_processes} local {a.local_process_index} on {a.device.type}", flush=True)
a.end_training()
`;

test("two hosts, two CPU ranks each, are one job of MULTI_CPU", async (t) => {
  const dir = scratchDir(t, { "state.py": STATE });
  const spec = loopbackSpec(
    {
      launcher: "accelerate",
      job: { kind: "script", script: "state.py", args: [] },
      accelerateConfig: { ...example("multi_cpu.yaml"), num_processes: 1 },
    },
    [2, 2],
  );
  const port = await freePort();
  const plan = realPlan(spec, dir, { rdzv: port, master: port });
  const spawns = plan.hosts.flatMap((host) => host.spawns.map(({ argv, env, cwd }) => ({ argv, env: { ...bareEnv(dir), ...env }, cwd })));
  const ended = await runAll(t, spawns);
  for (const { code, out } of ended) assert.equal(code, 0, out);
  for (const rank of [0, 1, 2, 3]) {
    const out = readFileSync(join(dir, rank < 2 ? "a" : "b", `rank${rank}.out`), "utf8");
    assert.equal(out, `DistributedType.MULTI_CPU rank ${rank}/4 local ${rank % 2} on cpu\n`);
  }
  assert.match(plan.hosts[0]?.notes.join() ?? "", /num_processes 1 is now 4/);
});

const example = (name: string): Record<string, unknown> => parse(readFileSync(join(REPO, "configs/acc", name), "utf8")) as Record<string, unknown>;
const FSDP = { ...example("fsdp.yaml"), dynamo_config: { dynamo_backend: "INDUCTOR" } };

/** accelerate's own reading of our command line, up to where it would start torchrun. */
const READ_BACK = `
import json, os, sys
from accelerate.commands.launch import launch_command_parser, _validate_launch_command
from accelerate.utils.launch import prepare_multi_gpu_env
before = dict(os.environ)
args, _, _ = _validate_launch_command(launch_command_parser().parse_args(sys.argv[1:]))
env = prepare_multi_gpu_env(args)
names = ["use_fsdp", "multi_gpu", "cpu", "no_python", "max_restarts", "rdzv_backend", "rdzv_conf", "nproc_per_node", "nnodes", "node_rank", "master_addr", "master_port", "log_dir"]
print(json.dumps({"args": {n: getattr(args, n) for n in names}, "rest": [args.training_script, *args.training_script_args],
                  "env": {k: v for k, v in env.items() if before.get(k) != v}}))
`;

test("a user's FSDP configuration arrives whole", async (t) => {
  const dir = scratchDir(t, { "read_back.py": READ_BACK });
  const hosts = ["a", "b"].map((name) =>
    placed(someHost(name, { address: name === "a" ? "10.0.0.1" : "10.0.0.2", gpus: { kind: "count", count: 2 } }), {
      dirs: { bundle: "/b", attempt: dir, socket: "/r", job: dir, scratch: null },
    }),
  );
  const plan = planAttempt(somePlan({ launcher: "accelerate", accelerateConfig: FSDP }, hosts));
  const spawn = plan.hosts[1]?.spawns[0];
  assert.ok(spawn);
  const at = spawn.argv.indexOf("accelerate.commands.launch");
  const argv = [...spawn.argv.slice(0, at - 2), PYTHON, join(dir, "read_back.py"), ...spawn.argv.slice(at + 1)];
  const [ended] = await runAll(t, [{ argv, env: { ...bareEnv(dir), ...spawn.env }, cwd: dir }]);
  assert.equal(ended?.code, 0, ended?.out);
  const read = JSON.parse(ended?.out.split("\n").find((line) => line.startsWith("{")) ?? "{}") as { args: object; rest: string[]; env: Record<string, string> };
  assert.deepEqual(read.args, {
    use_fsdp: true,
    multi_gpu: false,
    cpu: false,
    no_python: true,
    max_restarts: 0,
    rdzv_backend: "static",
    rdzv_conf: "timeout=600",
    nproc_per_node: "2",
    nnodes: "2",
    node_rank: 1,
    master_addr: "10.0.0.1",
    master_port: "29401",
    log_dir: `${dir}/elastic`,
  });
  assert.deepEqual(read.rest.slice(0, 5), ["/usr/bin/python3", "-I", "-S", "/b/prologue.py", "--"]);
  const expected = {
    ACCELERATE_USE_FSDP: "true",
    ACCELERATE_MIXED_PRECISION: "bf16",
    ACCELERATE_DYNAMO_BACKEND: "INDUCTOR",
    FSDP_VERSION: "2",
    FSDP_RESHARD_AFTER_FORWARD: "true",
    FSDP_AUTO_WRAP_POLICY: "TRANSFORMER_BASED_WRAP",
    FSDP_TRANSFORMER_CLS_TO_WRAP: "LlamaDecoderLayer",
    FSDP_STATE_DICT_TYPE: "SHARDED_STATE_DICT",
    FSDP_OFFLOAD_PARAMS: "false",
    FSDP_ACTIVATION_CHECKPOINTING: "false",
    FSDP_CPU_RAM_EFFICIENT_LOADING: "true",
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(read.env[name], value, name);
  assert.equal(spawn.env.PET_RDZV_ID, "train_20251101_143200-1");
  assert.ok(!("ACCELERATE_USE_CPU" in spawn.env));
});

test("what a configuration cannot say here is refused by its key", () => {
  const base = { given: {}, worldSize: 4, machines: 2, machineRank: 0, address: "a", port: 1, onCpu: false };
  const refused = (given: Record<string, unknown>, onCpu = false): string => {
    try {
      fitAccelerateConfig({ ...base, given, onCpu });
    } catch (error) {
      return error instanceof Error ? error.message : "";
    }
    return "taken";
  };
  assert.match(refused({ compute_environment: "AMAZON_SAGEMAKER" }), /compute_environment/);
  assert.match(refused({ distributed_type: "XLA" }), /distributed_type/);
  assert.match(refused({ distributed_type: "FSDP" }, true), /no FSDP on CPU/);
  assert.match(refused({ distributed_type: "FSDP", use_cpu: true }), /no FSDP on CPU/);
  assert.match(refused({ mpirun_config: { mpirun_hostfile: "h" } }), /mpirun_config/);
  assert.match(refused({ distributed_type: "DEEPSPEED", deepspeed_config: { deepspeed_hostfile: "h" } }), /deepspeed_config\.deepspeed_hostfile/);
  assert.equal(refused(FSDP), "taken");
  const deepspeed = fitAccelerateConfig({ ...base, given: { distributed_type: "DEEPSPEED", deepspeed_config: { zero_stage: 3 } } });
  assert.deepEqual(deepspeed.config.deepspeed_config, { zero_stage: 3, deepspeed_multinode_launcher: "standard" });
});
