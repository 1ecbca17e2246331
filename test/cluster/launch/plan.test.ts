/** The environment of the ranks, and what cannot be planned. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { planAttempt } from "../../../cluster/launch/plan.ts";
import type { HostSpec } from "../../../cluster/spec.ts";
import { codeOf, envOf, hostsOf, PAIR, placed, someFacts, someHost, somePlan } from "./fixtures.ts";

const [a, b] = PAIR;

test("the user's own wins, wherever it was said", () => {
  const host = placed(someHost("a", { env: { GLOO_SOCKET_IFNAME: "mine" }, gpus: { kind: "count", count: 2 } }), { sessionNames: ["OMP_NUM_THREADS"] });
  const [plan] = hostsOf({ env: { NCCL_DEBUG: "WARN", PYTORCH_ALLOC_CONF: "x", GLOO_SOCKET_IFNAME: "all" }, secretNames: { a: ["NCCL_SOCKET_IFNAME"] } }, [
    host,
  ]);
  const env = envOf(plan);
  assert.equal(env.NCCL_DEBUG, "WARN");
  assert.equal(env.GLOO_SOCKET_IFNAME, "mine");
  for (const name of ["OMP_NUM_THREADS", "PYTORCH_CUDA_ALLOC_CONF", "NCCL_SOCKET_IFNAME"]) assert.ok(!(name in env), name);
  assert.deepEqual(
    plan?.vars.filter((each) => each.name === "NCCL_SOCKET_IFNAME").map((each) => "secret" in each),
    [true],
  );
  const names = plan?.vars.map((each) => each.name) ?? [];
  assert.equal(new Set(names).size, names.length, "each name once");
  assert.ok(plan?.vars.every((each) => each.reason.length > 3));
});

test("paths reach the ranks, from the home there", () => {
  const [plan] = hostsOf({ paths: { durable: "data", shared: "/mnt/s", checkpoints: "~/ckpt" } }, [a]);
  const env = envOf(plan);
  assert.deepEqual([env.NEXA_DURABLE, env.NEXA_SHARED, env.NEXA_CHECKPOINTS], ["/home/me/data", "/mnt/s", "/home/me/ckpt"]);
});

test("what a rank inherits loses every identity but ours", () => {
  const [plan] = hostsOf({});
  const patterns = plan?.unset.map((each) => each.pattern) ?? [];
  for (const name of ["PET_*", "TORCHELASTIC_*", "RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "CUDA_VISIBLE_DEVICES"])
    assert.ok(patterns.includes(name), name);
});

test("CPU ranks: no GPU variables, CPUs shared with who is on the same machine", () => {
  const cpu = ["a", "b"].map((name) =>
    placed(someHost(name, { transport: "local", address: "127.0.0.1", gpus: { kind: "none", slots: 2 } }), { facts: someFacts({ gpus: null, cpus: 8 }) }),
  );
  const env = envOf(hostsOf({}, cpu, { cpuOnly: true })[0]);
  assert.equal(env.CUDA_VISIBLE_DEVICES, "");
  assert.equal(env.OMP_NUM_THREADS, "2");
  assert.equal(env.GLOO_SOCKET_IFNAME, "lo");
  assert.deepEqual(
    Object.keys(env).filter((name) => /NCCL|PYTORCH/.test(name)),
    [],
  );
});

test("refusals", () => {
  assert.equal(
    codeOf(() => hostsOf({ env: { MASTER_PORT: "1" } })),
    "ENV_RESERVED",
  );
  assert.equal(
    codeOf(() => hostsOf({ secretNames: { "*": ["RANK"] } })),
    "ENV_RESERVED",
  );
  assert.equal(
    codeOf(() => hostsOf({ rdzv: { host: "c", port: 1 } })),
    "RDZV_HOST",
  );
  for (const launcher of ["torchrun-static", "direct", "accelerate", "command"] as const) {
    assert.equal(
      codeOf(() => hostsOf({ launcher, rdzv: { host: "b", port: 29_500 } })),
      "RDZV_NOT_FIRST",
      launcher,
    );
  }
  assert.equal(
    codeOf(() => hostsOf({}, [a, placed(someHost("l", { address: "127.0.0.1" }))])),
    "LOOPBACK_MIXED",
  );
  assert.equal(
    codeOf(() => hostsOf({}, [placed(someHost("a", { interface: "ib9" }))])),
    "INTERFACE_MISSING",
  );
  assert.equal(
    codeOf(() => hostsOf({ launcher: "accelerate" })),
    "ACCELERATE_UNEVEN",
  );
});

test("a torch without CUDA on a host whose GPUs are asked for is a word, not the end", () => {
  const facts = someFacts({ python: { path: "/p", version: "3.12", torch: "2.13.0+cpu", accelerate: null } });
  const notesFor = (host: Partial<HostSpec>): string =>
    hostsOf({}, [placed(someHost("a", { address: "10.0.0.1", ...host }), { facts })])[0]?.notes.join("\n") ?? "";
  assert.match(notesFor({}), /torch is 2\.13\.0\+cpu \(CPU only\), but the file gives it GPUs/);
  assert.doesNotMatch(notesFor({ gpus: { kind: "none", slots: 1 } }), /CPU only/);
});

test("an unknown interface is a word, not the end", () => {
  const nat = placed(someHost("n", { address: "203.0.113.5" }), { facts: someFacts() });
  const [plan] = hostsOf({}, [nat, b]);
  assert.match(plan?.notes.join() ?? "", /no interface holds 203\.0\.113\.5.*set `interface`/);
  assert.ok(!("NCCL_SOCKET_IFNAME" in envOf(plan)));
  assert.deepEqual(hostsOf({}, [nat])[0]?.notes, []);
});

test("tailscale and GeForce cards get what they need, others do not", () => {
  const interfaces = [{ name: "tailscale0", mtu: 1280, up: true, addresses: ["100.66.164.18"] }];
  const gpus = [0, 1].map((index) => ({ index, uuid: `GPU-${index}`, name: "NVIDIA GeForce RTX 4090", memoryMiB: 24_564 }));
  const host = placed(someHost("t", { address: "100.66.164.18", gpus: { kind: "auto" } }), { facts: someFacts({ interfaces, gpus }) });
  const env = envOf(hostsOf({}, [host])[0]);
  assert.deepEqual([env.NCCL_IB_DISABLE, env.NCCL_P2P_DISABLE], ["1", "1"]);
  const plain = envOf(hostsOf({}, [a])[0]);
  assert.ok(!("NCCL_IB_DISABLE" in plain) && !("NCCL_P2P_DISABLE" in plain));
  const own = envOf(hostsOf({ env: { NCCL_P2P_DISABLE: "0" } }, [host])[0]);
  assert.equal(own.NCCL_P2P_DISABLE, "0");
});

test("a plan is data: the same input, the same plan, and it survives JSON", () => {
  const input = somePlan({}, [a, b]);
  assert.deepEqual(JSON.parse(JSON.stringify(planAttempt(input))), JSON.parse(JSON.stringify(planAttempt(structuredClone(input)))));
});
