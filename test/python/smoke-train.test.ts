/** The bundled smoke trainer as ranks of `direct`: what it prints, what it keeps, how it stops, and what it says without torch. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type AgentLink, HAS_TORCH, type Lab, launch, makeLab, PYTHON, PYTHON_DIR, pythonRank, TORCH_PYTHON, until } from "../support/shims.ts";

const SMOKE = join(PYTHON_DIR, "smoke_train.py");
const torch = { skip: HAS_TORCH ? false : "no Python with torch; scripts/setup makes one" };

async function startSmoke(lab: Lab, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<AgentLink> {
  const armed = await lab.startShim();
  const agent = await lab.connect();
  const ranks = [0, 1].map((rank) => ({
    ...pythonRank(rank, "", {
      RANK: String(rank),
      LOCAL_RANK: String(rank),
      WORLD_SIZE: "2",
      MASTER_ADDR: "127.0.0.1",
      MASTER_PORT: String(armed.ports[0]),
      GLOO_SOCKET_IFNAME: "lo",
      NEXA_SCRATCH: join(lab.arm.dir, `rank_${rank}`),
      ...env,
    }),
    argv: [TORCH_PYTHON, SMOKE, ...args],
  }));
  agent.send(launch(ranks, 60_000));
  return agent;
}

test("two ranks say where they are, sum, learn, and rank 0 keeps a checkpoint", torch, async (t) => {
  const lab = makeLab(t, { ports: [0] });
  const agent = await startSmoke(lab, ["--steps", "10"]);
  for (const rank of [0, 1]) assert.equal((await agent.event("rank-exited", (e) => e.rank === rank)).code, 0, lab.file("rank0.err"));
  assert.match(lab.file("rank0.out"), /^rank 0\/2 on \S+ \S+ (gloo|nccl) torch \S+\nall-reduce of 2 ranks: 3, as expected/);
  assert.match(lab.file("rank1.out"), /^rank 1\/2 on \S+ [^\n]*\n$/);
  const losses = [...lab.file("rank0.out").matchAll(/^step=\d+ loss=([\d.]+)$/gm)].map((m) => Number(m[1]));
  assert.equal(losses.length, 3);
  assert.ok((losses.at(-1) ?? 9) < (losses[0] ?? 0));
  assert.match(lab.file("rank0.out"), /\nok: 2 ranks, 10 steps, loss [^\n;]*\n$/);
  assert.doesNotMatch(lab.file("rank0.out") + lab.file("rank0.err"), /asked for|CPU/);
  assert.ok(existsSync(join(lab.arm.dir, "rank_0/smoke.pt")) && !existsSync(join(lab.arm.dir, "rank_1/smoke.pt")));
});

test("GPUs were asked for and torch sees none: said at the start and in the last line", torch, async (t) => {
  const lab = makeLab(t, { ports: [0] });
  const agent = await startSmoke(lab, ["--steps", "2"], { NEXA_GPUS: "4", CUDA_VISIBLE_DEVICES: "" });
  for (const rank of [0, 1]) assert.equal((await agent.event("rank-exited", (e) => e.rank === rank)).code, 0, lab.file(`rank${rank}.err`));
  assert.match(lab.file("rank0.err"), /^smoke: \S+: 4 GPUs a host were asked for, torch \S+ sees none \([^\n]+\): CPU IS USED$/m);
  assert.match(
    lab.file("rank0.out"),
    /\nok, but on CPU: 2 ranks, 2 steps, [^\n]*; 4 GPUs a host were asked for, torch \S+ sees none \([^\n]+\): CPU was used\n$/,
  );
  assert.doesNotMatch(lab.file("rank0.out"), /^ok:/m);
  assert.doesNotMatch(lab.file("rank1.out") + lab.file("rank1.err"), /asked for/, "once a host");
  t.diagnostic(lab.file("rank0.out").split("\n").at(-2) ?? "");
});

test("asked to stop it saves first, all ranks at the same step", torch, async (t) => {
  const lab = makeLab(t, { ports: [0] });
  const agent = await startSmoke(lab, ["--seconds", "600", "--sleep", "0.05"]);
  await agent.event("launched");
  await until("it trains", () => lab.file("rank0.out").includes("step=5 "));
  agent.send({ do: "stop", graceMs: 60_000, why: "asked" });
  const { receipt } = await agent.event("ended");
  assert.deepEqual([receipt.killed, receipt.left], [0, 0]);
  for (const rank of [0, 1]) assert.equal((await agent.event("rank-exited", (e) => e.rank === rank)).code, 0, lab.file("rank0.err"));
  assert.match(lab.file("rank0.out"), /checkpoint=\S+smoke.pt step=(\d+)\nstopped at step \1\n$/);
});

test("without torch: one sentence, exit 3", async (t) => {
  const lab = makeLab(t);
  await lab.startShim();
  const agent = await lab.connect();
  agent.send(launch([{ ...pythonRank(0, ""), argv: [PYTHON, "-I", "-S", SMOKE] }], 1000));
  assert.equal((await agent.event("rank-exited")).code, 3);
  await agent.event("ended");
  assert.match(lab.file("rank0.err"), /^smoke: \S+ on \S+ cannot import torch \(.*\); .*\n$/);
});
