/** What each launcher is given: argv and environment to the letter, and what must never be in them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultVars } from "../../../cluster/launch/environment.ts";
import { argvOf, codeOf, envOf, hostsOf, PAIR, placed, someFacts, someHost } from "./fixtures.ts";

const [a, b] = PAIR;
const PROLOGUE = ["/usr/bin/python3", "-I", "-S", "/b/prologue.py", "--"];
const PROGRAM = ["/opt/env/bin/python", "-u", "train.py", "--lr", "3e-4"];

test("torchrun, 3 + 1, in the order of the file although the addresses sort the other way", () => {
  const [first, second] = hostsOf({});
  const common = (nproc: number, isHost: number, local: string, name: string) => [
    "/opt/env/bin/python",
    "-m",
    "torch.distributed.run",
    "--nnodes=2",
    `--nproc-per-node=${nproc}`,
    "--rdzv-backend=c10d",
    "--rdzv-endpoint=10.0.0.9:29400",
    "--rdzv-id=train_20251101_143200-1",
    `--rdzv-conf=is_host=${isHost},join_timeout=600,read_timeout=600`,
    `--local-addr=${local}`,
    "--max-restarts=0",
    `--log-dir=/s/${name}/a1/elastic`,
    "--no-python",
    ...PROLOGUE,
    ...PROGRAM,
  ];
  assert.deepEqual(argvOf(first), common(3, 1, "10.0.0.9", "a"));
  assert.deepEqual(argvOf(second), common(1, 0, "zz-node-0001", "b"));
  assert.deepEqual(
    first?.ranks.map(({ rank }) => rank),
    [0, 1, 2],
  );
  assert.deepEqual(
    second?.ranks.map(({ rank }) => rank),
    [3],
  );
  assert.deepEqual(envOf(second), {
    NEXADIST_RUN: "train_20251101_143200",
    NEXADIST_ATTEMPT: "1",
    NEXADIST_DIR: "/s/b/a1",
    NEXADIST_SOCKET: "/r/b.sock",
    TORCH_DISABLE_SHARE_RDZV_TCP_STORE: "1",
    NEXADIST_MASTER_PORT: "29401",
    NEXA_GPUS: "1",
    CUDA_DEVICE_ORDER: "PCI_BUS_ID",
    CUDA_VISIBLE_DEVICES: "0",
    PYTHONUNBUFFERED: "1",
    PYTHONFAULTHANDLER: "1",
    OMP_NUM_THREADS: "16",
    GLOO_SOCKET_IFNAME: "eth0",
    TP_SOCKET_IFNAME: "eth0",
    NCCL_SOCKET_IFNAME: "=eth0",
    NCCL_SOCKET_FAMILY: "AF_INET",
    NCCL_DEBUG: "INFO",
    TORCH_NCCL_ASYNC_ERROR_HANDLING: "3",
    TORCH_FR_BUFFER_SIZE: "2000",
    PYTORCH_CUDA_ALLOC_CONF: "expandable_segments:True",
  });
  assert.equal(first?.spawns[0]?.role, "launcher");
  assert.equal(first?.spawns[0]?.cwd, "/job");
});

test("the size of the flight recorder goes by the name that the host's torch takes without a warning", () => {
  const context = { usesGpus: true, nproc: 1, cpus: 1, interface: null, gpuNames: [] };
  const names = (torch: string | null, taken: readonly string[] = []): string[] =>
    defaultVars({ ...context, torch }, new Set(taken)).flatMap(({ name }) => (name.includes("BUFFER_SIZE") ? [name] : []));
  for (const torch of ["2.13.0+cu128", "2.10.0", "3.0.0"]) assert.deepEqual(names(torch), ["TORCH_FR_BUFFER_SIZE"], torch);
  for (const torch of ["2.8.0", "2.9.1+cu126", "1.13.1", null]) assert.deepEqual(names(torch), ["TORCH_NCCL_TRACE_BUFFER_SIZE"], String(torch));
  for (const name of ["TORCH_FR_BUFFER_SIZE", "TORCH_NCCL_TRACE_BUFFER_SIZE"]) assert.deepEqual(names("2.13.0", [name]), []);
});

test("local addresses sort behind any first address", () => {
  const first = placed(someHost("zz-top", { gpus: { kind: "count", count: 1 } }));
  const locals = hostsOf({}, [first, b]).map(
    (host) =>
      argvOf(host)
        .find((word) => word.startsWith("--local-addr="))
        ?.slice(13) ?? "",
  );
  assert.deepEqual([...locals].sort(), locals);
});

test("a rendezvous elsewhere than on the first host", () => {
  const [first, second] = hostsOf({ rdzv: { host: "10.0.0.10", port: 29_500 } }, [a, b], { ports: { rdzv: 29_500, master: 20_001 } });
  assert.ok(argvOf(first).includes("--rdzv-endpoint=10.0.0.10:29500"));
  assert.ok(argvOf(first).some((word) => word.startsWith("--rdzv-conf=is_host=0,")));
  assert.ok(argvOf(first).includes("--local-addr=10.0.0.9"));
  assert.ok(argvOf(second).some((word) => word.startsWith("--rdzv-conf=is_host=1,")));
  assert.ok(argvOf(second).includes("--local-addr=zz-node-0001"));
});

test("torchrun-static", () => {
  const [, second] = hostsOf({ launcher: "torchrun-static", job: { kind: "module", module: "pkg.mod", args: [] } });
  assert.deepEqual(argvOf(second).slice(2, 11), [
    "torch.distributed.run",
    "--nnodes=2",
    "--nproc-per-node=1",
    "--node-rank=1",
    "--master-addr=10.0.0.9",
    "--master-port=29401",
    "--rdzv-id=train_20251101_143200-1",
    "--rdzv-conf=timeout=600",
    "--max-restarts=0",
  ]);
  assert.deepEqual(argvOf(second).slice(-3), ["-u", "-m", "pkg.mod"]);
  // The agent hosts the store at that very port: a second answer would part the ranks.
  assert.ok(!("NEXADIST_MASTER_PORT" in envOf(second)));
  assert.ok(!("TORCH_DISABLE_SHARE_RDZV_TCP_STORE" in envOf(second)));
});

test("direct gives torch's variables to each rank", () => {
  const [first, second] = hostsOf(
    { launcher: "direct" },
    [a, b].map((at) => ({ ...at, dirs: { ...at.dirs, scratch: "/scratch/run" } })),
  );
  assert.equal(first?.spawns.length, 3);
  assert.deepEqual(argvOf(second), PROGRAM);
  assert.deepEqual([second?.spawns[0]?.role, second?.spawns[0]?.rank, second?.spawns[0]?.localRank], ["rank", 3, 0]);
  const env = envOf(first, 2);
  const expected = {
    RANK: "2",
    LOCAL_RANK: "2",
    WORLD_SIZE: "4",
    LOCAL_WORLD_SIZE: "3",
    GROUP_RANK: "0",
    GROUP_WORLD_SIZE: "2",
    ROLE_NAME: "default",
    ROLE_RANK: "2",
    ROLE_WORLD_SIZE: "4",
    MASTER_ADDR: "10.0.0.9",
    MASTER_PORT: "29401",
    TORCHELASTIC_RUN_ID: "train_20251101_143200-1",
    TORCHELASTIC_RESTART_COUNT: "0",
    TORCHELASTIC_MAX_RESTARTS: "0",
    TORCHELASTIC_ERROR_FILE: "/s/a/a1/error/rank2.json",
    NCCL_DEBUG_FILE: "/s/a/a1/rank2.nccl",
    NEXA_SCRATCH: "/scratch/run/rank_2",
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(env[name], value, name);
  assert.ok(!("TORCHELASTIC_USE_AGENT_STORE" in env));
  assert.ok(!("NEXADIST_SOCKET" in env));
});

test("command: once per host, or once per GPU, and needs no python", () => {
  const job = { kind: "command", argv: ["./serve", "--port", "1 2"] } as const;
  const bare = [a, b].map((at) => ({ ...at, facts: someFacts({ ...at.facts, python: null, pythonProblem: "none" }) }));
  const perHost = hostsOf({ launcher: "command", job }, bare);
  assert.deepEqual(
    perHost.map((host) => host.spawns.length),
    [1, 1],
  );
  assert.deepEqual(argvOf(perHost[1]), ["./serve", "--port", "1 2"]);
  assert.deepEqual([envOf(perHost[1]).RANK, envOf(perHost[1]).WORLD_SIZE, envOf(perHost[1]).MASTER_PORT], ["1", "2", "29401"]);
  assert.ok(!("TORCHELASTIC_RUN_ID" in envOf(perHost[1])));
  const perGpu = hostsOf({ launcher: "command", per: "gpu", job }, bare);
  assert.deepEqual(
    perGpu.map((host) => host.spawns.length),
    [3, 1],
  );
  assert.equal(
    codeOf(() => hostsOf({ launcher: "torchrun", job }, bare)),
    "PYTHON_MISSING",
  );
});

test("IPv6 addresses are bracketed in an endpoint and bare elsewhere", () => {
  const six = ["fd7a:115c::1", "fd7a:115c::2"].map((address, index) => placed(someHost(`h${index}`, { address })));
  const [first] = hostsOf({}, six);
  assert.ok(argvOf(first).includes("--rdzv-endpoint=[fd7a:115c::1]:29400"));
  assert.ok(argvOf(first).includes("--local-addr=fd7a:115c::1"));
  assert.equal(envOf(first).NCCL_SOCKET_FAMILY, "AF_INET6");
  assert.ok(argvOf(hostsOf({ launcher: "torchrun-static" }, six)[1]).includes("--master-addr=fd7a:115c::1"));
  assert.equal(envOf(hostsOf({ launcher: "direct" }, six)[0]).MASTER_ADDR, "fd7a:115c::1");
});

test("the smoke trainer is ours, from the bundle", () =>
  assert.deepEqual(argvOf(hostsOf({ job: { kind: "smoke", args: ["--steps", "3"] } })[0]).slice(-4), ["-u", "/b/smoke_train.py", "--steps", "3"]));
