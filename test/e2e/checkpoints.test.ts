/** Training goes on from the last complete checkpoint, on hosts with disks of their own: after the death of a rank, and on a spare after that of a host. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunEvent } from "../../cluster/run/events.ts";
import type { RunState } from "../../cluster/run/state.ts";
import { openSeat, type Seat, until } from "../support/controller.ts";
import { type Lab, needsRoot, startLab } from "../support/lab.ts";
import { SHARDED, TRAINER } from "../support/resumers.ts";

const A = "100.66.164.18";
const B = "100.66.164.19";
const C = "100.66.164.20";

const FILE = `cluster: [{host: ${A}, slots: 1}, {host: ${B}, slots: 1}]
spares: [{host: ${C}, slots: 1}]
defaults: {gpus: 0}
env: {LD_LIBRARY_PATH: /opt/python/lib} # the lab's Python must not meet a libpython of the system's
restart: {backoff: 0s, on_host_loss: spare}
timeouts: {stop_grace: 1s, suspect: 3s, lost: 4s}
`;

/** transformers take long to import where the machine has other work. */
const PATIENCE_MS = 180_000;

type Begun = RunEvent & { readonly type: "attempt-begun" };

const begun = (seat: Seat, run: string, attempt: number): Promise<Begun> =>
  seat.wait(run, `attempt ${attempt} begins`, (events) => events.find((event): event is Begun => event.type === "attempt-begun" && event.attempt === attempt));

const savedSteps = (seat: Seat, run: string, attempt: number): number[] =>
  [...seat.log(run, A, "rank0.out", attempt).matchAll(/^saved step=(\d+)$/gm)].map((match) => Number(match[1]));

/** Waits until `count` steps were saved by the attempt; answers with the last. */
async function saves(seat: Seat, run: string, attempt: number, count: number): Promise<number> {
  await until(`attempt ${attempt} saves ${count} times`, () => savedSteps(seat, run, attempt).length >= count, PATIENCE_MS);
  return savedSteps(seat, run, attempt).at(-1) ?? 0;
}

/** Every rank of the attempt says that it begins there. */
const beginsAt = (seat: Seat, run: string, attempt: number, hosts: readonly string[], step: number): Promise<unknown> =>
  until(
    `attempt ${attempt} begins at step ${step}`,
    () => hosts.every((host, rank) => seat.log(run, host, `rank${rank}.out`, attempt).includes(`begins at step=${step}\n`)),
    PATIENCE_MS,
  );

const running = (seat: Seat, run: string, attempt: number): Promise<RunState> =>
  seat.wait(run, `attempt ${attempt} runs`, (_, now) => (now.attempt === attempt && now.phase === "running" ? now : null));

const onDisk = async (lab: Lab, host: string, path: string): Promise<boolean> =>
  (await lab.host(host).run(["sh", "-c", `ls /home/*/${path} /root/${path} 2>/dev/null | grep -q .`])).exitCode === 0;

test("on disks of their own, after the death of a rank and then of a host", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t, { hosts: 3, gpus: 0, options: { "*": { path: "train" } } });
  const seat = openSeat(t, lab);
  const kill = async (host: string, pid: number | undefined): Promise<void> => {
    assert.equal((await lab.host(host).run(["kill", "-9", `${pid}`])).exitCode, 0);
  };

  await t.test("shards of torch.distributed.checkpoint: each host gets the other's; what only the dead host had is lost and counted", async () => {
    seat.write("sharded.py", SHARDED);
    seat.write("shards.yaml", `${FILE}paths: {checkpoints: ckpt/shards}\n`);
    const run = await seat.up(["shards.yaml", "--", "sharded.py"]);
    await saves(seat, run, 1, 2);
    await kill("gpu-b", (await running(seat, run, 1)).ranks[1]?.pid);
    const second = await begun(seat, run, 2);
    const step = second.checkpoint?.step ?? 0;
    assert.ok(step >= 10 && step % 5 === 0, `${step}`);
    await beginsAt(seat, run, 2, [A, B], step);
    for (const host of ["gpu-a", "gpu-b"]) {
      for (const part of ["__0_0.distcp", "__1_0.distcp", ".metadata"])
        assert.ok(await onDisk(lab, host, `ckpt/shards/step_${step}/${part}`), `${host} ${part}`);
    }

    await saves(seat, run, 2, 2);
    await lab.host("gpu-b").kill();
    const third = await begun(seat, run, 3);
    assert.deepEqual([third.members, third.checkpoint?.step], [[A, C], step], "what both had");
    assert.match(
      (third.notes ?? []).join("\n"),
      /cannot be had: .*100\.66\.164\.19 cannot be asked[\s\S]*brought to 100\.66\.164\.20[\s\S]*\d+ steps were saved and cannot be had/,
    );
    assert.match(
      (third.notes ?? []).join("\n"),
      new RegExp(
        `rank \\d had come to step \\d+ \\(its log\\); it goes on from step ${step}: \\d+ steps? (is|are) done again\na newer checkpoint .* may be on ${B}, `,
      ),
    );
    await beginsAt(seat, run, 3, [A, C], step);
    await seat.cli(["stop", run]);
    await lab.host("gpu-b").boot();
  });

  const found = await lab.host("gpu-a").run(["sh", "-c", "ls -d /opt/train/lib/python3*/site-packages/transformers"]);
  const skip = found.exitCode === 0 ? false : "no transformers; scripts/test installs them";
  await t.test("the Trainer of Hugging Face as it is, told by resume_args: no step is lost with a host that is not rank 0's", { skip }, async () => {
    seat.write("train.py", TRAINER);
    const job = "job: {script: train.py, resume_args: [--resume_from_checkpoint, '{checkpoint}']}\n";
    seat.write("hf.yaml", `${FILE}paths: {checkpoints: ckpt/hf}\n${job}`);
    const run = await seat.up(["hf.yaml"]);
    const last = await saves(seat, run, 1, 2);
    await lab.host("gpu-b").kill();
    const second = await begun(seat, run, 2);
    assert.deepEqual(second.members, [A, C]);
    const from = second.checkpoint?.step ?? 0;
    assert.ok(from >= last, `${from}, and ${last} was saved`);
    await beginsAt(seat, run, 2, [A, C], from);
    assert.ok(await onDisk(lab, "gpu-c", `ckpt/hf/checkpoint-${from}/model.safetensors`), "it was rank 0's alone");
    assert.match((second.notes ?? []).join("\n"), /lacks rng_state_1\.pth/);
    assert.ok((await saves(seat, run, 2, 1)) > from);
    await seat.cli(["stop", run]);
  });
});
