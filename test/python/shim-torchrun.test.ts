/** The real launchers: torchrun kills ranks that save after 30 s, whatever it was told; behind the shim they finish. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Spawn } from "../../cluster/shim-contract.ts";
import { assertNothingLeft, HAS_TORCH, type Lab, launch, makeLab, PROLOGUE, PYTHON, TORCH_PYTHON, until } from "../support/shims.ts";

const torch = { skip: HAS_TORCH ? false : "no Python with torch; scripts/setup makes one" };

const SAVE_SECONDS = 35;

/** Rank 1 dies when its file is there, rank 0 saves for longer than torchrun's own 30 s. No import of torch: this is about processes. */
const job = (lab: Lab, seconds: number) => `
import os, signal, time
rank = int(os.environ["RANK"])
told = []
signal.signal(signal.SIGTERM, lambda *_: told.append(1))
print("ready", os.environ["MASTER_PORT"], flush=True)
while not told:
    time.sleep(0.01)
    if rank == 1 and os.path.exists(${JSON.stringify(`${lab.arm.dir}/fail`)}): os._exit(9)
end = time.monotonic() + ${seconds}
while time.monotonic() < end: time.sleep(0.01)
print("saved, told", len(told), flush=True)
`;

const spawnOf = (lab: Lab, argv: readonly string[], seconds: number): Spawn => ({
  role: "launcher",
  rank: null,
  localRank: null,
  argv: [TORCH_PYTHON, ...argv, PYTHON, "-I", "-S", PROLOGUE, "--", PYTHON, "-u", "-c", job(lab, seconds)],
  env: {
    PATH: process.env["PATH"] ?? "",
    HOME: lab.arm.dir,
    TMPDIR: lab.arm.dir,
    NEXADIST_DIR: lab.arm.dir,
    NEXADIST_SOCKET: lab.arm.socket,
    NEXADIST_MASTER_PORT: "21777",
    TORCH_DISABLE_SHARE_RDZV_TCP_STORE: "1",
    OMP_NUM_THREADS: "1",
    ACCELERATE_USE_CPU: "true",
  },
  cwd: lab.arm.dir,
});

const torchrun = (port: number, ranks: number) => [
  ...["-m", "torch.distributed.run", "--nnodes=1", `--nproc-per-node=${ranks}`, "--rdzv-backend=c10d", `--rdzv-endpoint=127.0.0.1:${port}`, "--rdzv-id=x"],
  ...["--rdzv-conf=is_host=1", "--local-addr=127.0.0.1", "--max-restarts=0", "--no-python"],
];
const accelerate = (port: number, ranks: number) => [
  ...["-m", "accelerate.commands.launch", "--multi_gpu", "--num_machines=1", `--num_processes=${ranks}`, "--mixed_precision=no", "--dynamo_backend=no"],
  ...[`--main_process_port=${port}`, "--no_python"],
];

test("torchrun on a held port: a rank fails, its sibling saves for 35 s under a grace of 60 s", torch, async (t) => {
  const lab = makeLab(t, { ports: [0] });
  const armed = await lab.startShim();
  const agent = await lab.connect();
  agent.send(launch([spawnOf(lab, torchrun(armed.ports[0] ?? 0, 2), SAVE_SECONDS)], 60_000, 2));
  await Promise.all([0, 1].map((rank) => agent.event("rank-started", (e) => e.rank === rank)));
  await until("both are ready", () => [0, 1].every((rank) => lab.file(`rank${rank}.out`) === "ready 21777\n"));
  lab.write("fail", "");
  const failed = await agent.event("rank-exited", (e) => e.rank === 1);
  assert.deepEqual([failed.code, failed.signal], [9, null]);
  assert.notEqual(failed.source, "unknown");
  const { receipt } = await agent.event("ended");
  assertNothingLeft(receipt);
  assert.equal(lab.file("rank0.out"), "ready 21777\nsaved, told 1\n");
  assert.equal((await agent.event("rank-exited", (e) => e.rank === 0)).code, 0);
});

for (const [name, argv] of [
  ["torchrun", torchrun],
  ["accelerate", accelerate],
] as const) {
  test(`${name}: a stop lets ranks save, each told once`, torch, async (t) => {
    const lab = makeLab(t, { ports: [0] });
    const armed = await lab.startShim();
    const agent = await lab.connect();
    agent.send(launch([spawnOf(lab, argv(armed.ports[0] ?? 0, 2), 2)], 60_000, 2));
    await Promise.all([0, 1].map((rank) => agent.event("rank-started", (e) => e.rank === rank)));
    await until("both are ready", () => [0, 1].every((rank) => lab.file(`rank${rank}.out`).startsWith("ready")));
    agent.send({ do: "stop", graceMs: 60_000, why: "asked" });
    const { receipt } = await agent.event("ended");
    assertNothingLeft(receipt);
    for (const rank of [0, 1]) assert.equal(lab.file(`rank${rank}.out`), "ready 21777\nsaved, told 1\n");
  });
}
