/** Uneven hosts whose addresses sort the wrong way as text; FSDP; accelerate's own test scripts. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { hostsOf } from "../../cluster/run/state.ts";
import { openSeat } from "../support/controller.ts";
import { MEET, SHARD } from "../support/jobs.ts";
import { needsRoot, startLab } from "../support/lab.ts";
import { assertClean, metOf } from "../support/outcome.ts";

const FIRST = "100.66.164.9";
const SECOND = "100.66.164.10"; // before .9 as text

test("uneven hosts, FSDP, and scripts of accelerate's own", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t, { addresses: [FIRST, SECOND], gpus: 0, options: { "*": { path: "train" } } });
  const seat = openSeat(t, lab);
  seat.write("uneven.yaml", `cluster: [{host: ${FIRST}, slots: 3}, {host: ${SECOND}, slots: 1}]\ndefaults: {gpus: 0}\n`);
  seat.write("pair.yaml", `cluster: [{host: ${FIRST}}, {host: ${SECOND}}]\ndefaults: {gpus: 0, slots: 1}\n`);
  seat.write("meet.py", MEET);
  seat.write("shard.py", SHARD);

  for (const launcher of ["torchrun", "direct"]) {
    await t.test(`${launcher} with 3 + 1: ranks follow the file, not the addresses`, async () => {
      const run = await seat.up(["uneven.yaml", "--set", `launcher=${launcher}`, "--", "meet.py"]);
      const state = await seat.ended(run);
      assertClean(state);
      const met = metOf(seat, run, state);
      assert.deepEqual(
        met.map((m) => [m.rank, m.host, m.local, m.world, m.sum]),
        [
          [0, "gpu-a", 0, 4, 10],
          [1, "gpu-a", 1, 4, 10],
          [2, "gpu-a", 2, 4, 10],
          [3, "gpu-b", 0, 4, 10],
        ],
      );
    });
  }

  await t.test("FSDP on CPUs: fully_shard over gloo, forward and backward, parameters in parts", async () => {
    const run = await seat.up(["uneven.yaml", "--", "shard.py"]);
    const state = await seat.ended(run);
    assertClean(state);
    const met = metOf(seat, run, state) as unknown as { losses: number[]; part: number; whole: number; world: number }[];
    assert.equal(
      met.reduce((sum, m) => sum + m.part, 0),
      met[0]?.whole,
    );
    assert.ok(met.every((m) => m.world === 4 && m.part < m.whole && (m.losses[2] ?? 9) < (m.losses[0] ?? 0)));
  });

  await t.test("accelerate's test_ops: it runs; on CPUs its ranks do not meet, whoever starts them, so it proves no more", async () => {
    const run = await seat.up(["pair.yaml", "--set", "backend=accelerate", "--", "-m", "accelerate.test_utils.scripts.test_ops"]);
    const state = await seat.ended(run);
    assertClean(state);
    assert.equal(state.world, 2);
    for (const [rank, host] of [FIRST, SECOND].entries()) assert.match(seat.log(run, host, `rank${rank}.out`), /testing sending tensors across devices\n$/);
  });

  await t.test("accelerate's test_sync, which may abort in its interpreter's exit: then it is said, and nothing is left", async () => {
    const run = await seat.up(["pair.yaml", "--set", "backend=accelerate", "--set", "restart.max=0", "--", "-m", "accelerate.test_utils.scripts.test_sync"]);
    const state = await seat.ended(run);
    const said = seat.log(run, FIRST, "rank0.out");
    assert.match(said, /Test Distributed `no_sync` context manager.*accumulation with optimizer and scheduler/s); // distributed, and its last test on CPUs has begun
    for (const host of hostsOf(state)) assert.ok(host.receipt !== null && host.receipt !== "unknown" && host.receipt.left === 0);
    if (state.phase === "succeeded") return;
    assert.equal(state.phase, "failed");
    assert.match(state.failure?.text ?? "", /^rank [01] on 100\.66\.164\.(9|10) was ended by SIGABRT/);
  });
});
