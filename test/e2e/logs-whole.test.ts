/** Logs under stress: whatever happens to them, training goes on, what is not there is a gap on record, and every other byte is right. */

import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { RunState } from "../../cluster/run/state.ts";
import { controllerPid, isRunning, openSeat, until } from "../support/controller.ts";
import { needsRoot, startLab } from "../support/lab.ts";
import { ofRuns, processesOf } from "../support/lab-processes.ts";
import { assertWhole, WRITER } from "../support/writer.ts";

const A = "100.66.164.18";
const MIB = 1 << 20;
/** Python of the system's: no torch is needed. */
const FILE = `cluster: [{host: ${A}}]\ndefaults: {gpus: 0, slots: 1}\nbackend: command\nrestart: {max: 0}\ntimeouts: {stop_grace: 1s}\n`;

test("logs under stress", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t, { hosts: 1, gpus: 0, options: { "*": { disk: "700m" } } });
  const host = lab.host("gpu-a");
  const seat = openSeat(t, lab);
  seat.write("c.yaml", FILE);
  seat.write("writer.py", WRITER);

  const begin = async (set: readonly string[], argv: readonly string[]): Promise<string> => {
    await host.run(["sh", "-c", "rm -f /tmp/finish /tmp/sum0 /tmp/wrong0"]);
    return seat.up(["c.yaml", ...set.flatMap((each) => ["--set", each]), "--", ...argv]);
  };
  const finish = async (): Promise<unknown> => host.run(["touch", "/tmp/finish"]);
  const kept = (run: string): number => {
    const path = join(seat.stateDir, "runs", run, "logs/a1", A, "rank0.out");
    return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  };
  const onHost = `$(ls -d /root/.local/state/nexadist/agents/*/runs/*/a1 | tail -1)`;
  const sizeThere = async (): Promise<number> => Number((await host.run(["sh", "-c", `stat -c %s ${onHost}/rank0.out`])).stdout);
  const written = async (): Promise<number> => Number((await host.run(["cat", "/tmp/sum0"])).stdout.split(" ")[1]);
  const assertGood = (state: RunState): void => assert.equal(state.phase, "succeeded", state.failure?.text);

  await t.test("a quota reached while no controller is there: the oldest bytes are a gap on record, the rest is right", async () => {
    const run = await begin(["logs.quota=1MiB"], ["python3", "writer.py", "1500", "0.02"]);
    await until("some bytes here", () => kept(run) > 0);
    const controller = (await controllerPid(seat.stateDir)) ?? 0;
    process.kill(controller, "SIGKILL");
    await until("the controller's end", () => !isRunning(controller));
    await until("8 MiB there", async () => (await sizeThere()) > 8 * MIB);
    await finish();
    await until("its end", async () => ofRuns(await processesOf(lab, "gpu-a"), run).length === 0);
    await seat.cli(["ps"]);
    assertGood(await seat.ended(run));
    const gaps = assertWhole(seat, run, A, 0, await written());
    assert.ok(gaps.length > 0 && gaps.every((gap) => gap.why === "quota"), JSON.stringify(gaps));
  });

  await t.test("a line of 100 MB", async () => {
    const run = await begin([], ["sh", "-c", "head -c 104857600 /dev/zero | tr '\\0' z; echo; echo over"]);
    assertGood(await seat.ended(run));
    const line = (from: number, to: number): Buffer => Buffer.from(`${"z".repeat(Math.max(0, 100 * MIB - from))}\nover\n`).subarray(0, to - from);
    assert.deepEqual(
      assertWhole(seat, run, A, 0, 100 * MIB + 6, (from, to) => (to <= 100 * MIB ? Buffer.alloc(to - from, "z") : line(from, to))),
      [],
    );
    const said = await seat.cli(["logs", run, "-n", "1"]);
    assert.match(said.out, /over\n$/);
  });

  await t.test("`yes` as a trainer: the quota holds, and what is kept is right", async () => {
    const run = await begin(["logs.quota=16MiB"], ["sh", "-c", "timeout 2 yes; echo over"]);
    const ended = await seat.ended(run);
    assertGood(ended);
    const size = await sizeThere();
    const gaps = assertWhole(seat, run, A, 0, size, (from, to) => {
      const ys = Buffer.alloc(to - from + 2, "y\n").subarray(from % 2, (from % 2) + to - from);
      return to === size ? Buffer.concat([ys.subarray(0, ys.length - 5), Buffer.from("over\n")]) : ys;
    });
    t.diagnostic(`${size} bytes, ${gaps.length} gaps`);
  });

  await t.test("the host's disk is full: the trainer goes on, and what is lost is a gap on record", async (t) => {
    const run = await begin([], ["python3", "writer.py", "300", "0.03"]);
    await until("some bytes here", () => kept(run) > 0);
    t.after(() => host.run(["rm", "-f", "/root/big"]));
    await host.run(["sh", "-c", "cat /dev/zero > /root/big 2>/dev/null; true"]);
    const then = await sizeThere();
    await until("it goes on", async () => (await sizeThere()) > then + 3 * MIB || (await host.run(["cat", "/tmp/wrong0"])).stdout !== "");
    assert.equal((await host.run(["cat", "/tmp/wrong0"])).stdout, "", "the trainer was hurt");
    await finish();
    await host.run(["rm", "/root/big"]);
    assertGood(await seat.ended(run));
    assertWhole(seat, run, A, 0, await written());
  });
});
