/** Every launcher on two SSH hosts, with the user's own file and with a script that exists on the controller only. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { openSeat } from "../support/controller.ts";
import { MEET, MEET_ACCELERATE } from "../support/jobs.ts";
import { needsRoot, startLab } from "../support/lab.ts";
import { assertClean, metOf } from "../support/outcome.ts";

const A = "100.66.164.18";
const B = "100.66.164.19";
const USERS_FILE = `cluster:
  - host: ${A}
    gpus: 4
  - host: ${B}
    gpus: 4
backend: torch.distributed
rdzv: ${A}:29500
`;
const CPU = `cluster: [{host: ${A}}, {host: ${B}}]
defaults: {gpus: 0, slots: 2}
`;

test("launchers on two SSH hosts", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t, { hosts: 2, gpus: 4, options: { "*": { path: "train" } } });
  const seat = openSeat(t, lab);
  seat.write("cluster.yaml", USERS_FILE);
  seat.write("cpu.yaml", CPU);
  seat.write("meet.py", MEET);
  seat.write("acc.py", MEET_ACCELERATE);

  await t.test("the user's own file, word for word: the smoke trainer on eight ranks in the order of the file", async () => {
    const { code, out, err } = await seat.cli(["up", "cluster.yaml"]);
    assert.equal(code, 0, `${out}\n${err}`);
    assert.match(out, /all-reduce of 8 ranks: 36, as expected/);
    assert.match(out, /==> train_\d{8}_\d{6} succeeded/);
    // GPUs were asked for: either they were used, or the last line says that they were not.
    assert.match(out, / cuda:0 nccl | ok, but on CPU: 8 ranks, .*; 4 GPUs a host were asked for, torch \S+ sees none \(.+\): CPU was used\n/);
    for (const host of [A, B])
      assert.match(out, new RegExp(`^${host}: 0 left alive .*; GPU memory unknown: nvidia-smi counts by pids of another namespace\\)$`, "m"));
    const state = await seat.ended(seat.latest());
    assertClean(state);
    assert.deepEqual(
      Object.values(state.ranks).map(({ rank, host }) => [rank, host]),
      Array.from({ length: 8 }, (_, k) => [k, k < 4 ? A : B]),
    );
    for (const name of ["gpu-a", "gpu-b"]) {
      const { exitCode } = await lab.host(name).run(["sh", "-c", "ls /proc/*/environ | xargs grep -l NEXADIST_MARK= 2>/dev/null | grep -v self"]);
      assert.notEqual(exitCode, 0, "a process of the run is left");
    }
  });

  for (const launcher of ["torchrun", "torchrun-static", "direct"]) {
    await t.test(`${launcher}: two ranks on each host`, async () => {
      const run = await seat.up(["cpu.yaml", "--set", `launcher=${launcher}`, "--", "meet.py", "--lr", "3e-4", "two words"]);
      const state = await seat.ended(run);
      assertClean(state);
      const met = metOf(seat, run, state);
      assert.deepEqual(
        met.map((m) => m.rank),
        [0, 1, 2, 3],
      );
      assert.deepEqual(
        met.map((m) => m.local),
        [0, 1, 0, 1],
      );
      assert.ok(met.every((m) => m.world === 4 && m.sum === 10));
      assert.deepEqual(met[0]?.hosts, ["gpu-a", "gpu-a", "gpu-b", "gpu-b"]);
      assert.deepEqual(met[3]?.argv, ["--lr", "3e-4", "two words"]);
      assert.ok(!met.some((m) => m.file.startsWith(seat.dir)), "the script was not shipped");
    });
  }

  await t.test("accelerate: DDP on CPUs, not four jobs of one rank", async () => {
    seat.write(
      "hf.yaml",
      "compute_environment: LOCAL_MACHINE\ndistributed_type: MULTI_CPU\nnum_machines: 7\nnum_processes: 99\nmachine_rank: 5\nuse_cpu: true\n",
    );
    const run = await seat.up(["cpu.yaml", "--set", "backend=accelerate", "--set", "job.accelerate_config=hf.yaml", "--", "acc.py"]);
    const state = await seat.ended(run);
    assertClean(state);
    const met = metOf(seat, run, state);
    assert.deepEqual(
      met.map((m) => [m.rank, m.local, m.world, m.sum, m.type]),
      [0, 1, 2, 3].map((k) => [k, k % 2, 4, 10, "MULTI_CPU"]),
    );
    assert.ok(met.every((m) => m.model === "DistributedDataParallel"));
    assert.deepEqual(
      met.map((m) => m.host),
      ["gpu-a", "gpu-a", "gpu-b", "gpu-b"],
    );
  });

  await t.test("command: any program, once per slot, can meet by the environment alone", async () => {
    const run = await seat.up(["cpu.yaml", "--set", "backend=command", "--set", "job.per=gpu", "--", "python", "-c", MEET, "x"]);
    const state = await seat.ended(run);
    assertClean(state);
    const met = metOf(seat, run, state);
    assert.deepEqual(
      met.map((m) => [m.rank, m.local, m.world, m.sum]),
      [0, 1, 2, 3].map((k) => [k, k % 2, 4, 10]),
    );
  });
});
