/** The bundled smoke trainer as ranks of `direct`: what it prints, what it keeps, how it stops, and what it says without torch. */

import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
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

test(
  "in a directory of checkpoints each step has its own, the last two are kept, and another attempt goes on from the one that it is told",
  torch,
  async (t) => {
    const first = makeLab(t, { ports: [0] });
    const dir = join(first.arm.dir, "checkpoints");
    const one = await startSmoke(first, ["--steps", "12", "--save-every", "4"], { NEXA_CHECKPOINTS: dir });
    for (const rank of [0, 1]) assert.equal((await one.event("rank-exited", (e) => e.rank === rank)).code, 0, first.file("rank0.err"));
    assert.deepEqual(readdirSync(dir).toSorted(), ["smoke-step_12.pt", "smoke-step_8.pt"]);
    const second = makeLab(t, { ports: [0] });
    const more = { NEXA_CHECKPOINTS: dir, NEXADIST_CHECKPOINT: join(dir, "smoke-step_8.pt"), NEXADIST_ATTEMPT: "2" };
    const two = await startSmoke(second, ["--steps", "14"], more);
    for (const rank of [0, 1]) assert.equal((await two.event("rank-exited", (e) => e.rank === rank)).code, 0, second.file("rank0.err"));
    const out = second.file("rank0.out");
    assert.match(out, /^attempt 2 goes on after step=8$/m);
    assert.doesNotMatch(out, /^step=(1|5) /m, "nothing is trained twice");
    const lossAt10 = (text: string): string | undefined => /^step=10 loss=([\d.]+)$/m.exec(text)?.[1];
    assert.equal(lossAt10(out), lossAt10(first.file("rank0.out")), "the optimizer's state came along, too");
    assert.deepEqual(readdirSync(dir).toSorted(), ["smoke-step_12.pt", "smoke-step_14.pt"]);
  },
);

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
