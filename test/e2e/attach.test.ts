/** A run belongs to its hosts: terminals, the controller and the agents may die, no rank ends by it and no byte of a log is lost or doubled. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import type { RunState } from "../../cluster/run/state.ts";
import { controllerPid, isRunning, openSeat, readJournal, type Seat, until } from "../support/controller.ts";
import { TELL } from "../support/jobs.ts";
import { type Lab, needsRoot, startLab } from "../support/lab.ts";
import { assertClean } from "../support/outcome.ts";

const A = "100.66.164.18";
const B = "100.66.164.19";
const HOST_OF = [A, A, B] as const;
const NAME_OF: Readonly<Record<string, string>> = { [A]: "gpu-a", [B]: "gpu-b" };

let count = 0;

async function startTelling(seat: Seat, how: (args: readonly string[]) => Promise<string>): Promise<{ run: string; state: RunState }> {
  for (const host of seat.lab.hosts) await host.run(["sh", "-c", "rm -f /tmp/finish /tmp/sum.*"]);
  const run = await how(["c.yaml", "--name", `n${++count}`, "--", "tell.py"]);
  const state = await seat.wait(run, "running", (_, now) => (now.phase === "running" ? now : null));
  await until("all ranks write", () => HOST_OF.every((host, rank) => seat.log(run, host, `rank${rank}.out`).includes("\n")));
  return { run, state };
}

/** More of each rank than there is now has arrived. */
async function goesOn(seat: Seat, run: string): Promise<void> {
  const before = HOST_OF.map((host, rank) => seat.log(run, host, `rank${rank}.out`).length);
  await until("logs go on", () => HOST_OF.every((host, rank) => seat.log(run, host, `rank${rank}.out`).length > (before[rank] ?? 0)));
}

/** Lets the ranks finish; each log is byte by byte what its rank wrote, by the process that the run began with. */
async function finishWhole(seat: Seat, lab: Lab, run: string, first: RunState): Promise<RunState> {
  for (const host of lab.hosts) await host.run(["touch", "/tmp/finish"]);
  const state = await seat.ended(run);
  assertClean(state);
  for (const [rank, host] of HOST_OF.entries()) {
    const { stdout } = await lab.host(NAME_OF[host] ?? "").run(["cat", `/tmp/sum.${rank}`]);
    const [sum, lines, pid] = stdout.trim().split(" ");
    const text = seat.log(run, host, `rank${rank}.out`);
    assert.equal(text.split("\n").length - 1, Number(lines), `rank ${rank}`);
    assert.equal(createHash("sha256").update(text).digest("hex"), sum, `rank ${rank}`);
    assert.equal(Number(pid), first.ranks[rank]?.pid, "another process wrote it");
    assert.equal(state.ranks[rank]?.pid, first.ranks[rank]?.pid);
  }
  const events = readJournal(seat.stateDir, run).map((line) => line.event);
  assert.equal(events.filter((event) => event.type === "attempt-begun").length, 1);
  assert.equal(events.filter((event) => event.type === "rank-started").length, 3);
  assert.deepEqual(
    events.filter((event) => event.type === "log-gap"),
    [],
  );
  return state;
}

test("a run on two SSH hosts outlives what watches and leads it", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t, { hosts: 2, gpus: 0, options: { "*": { path: "train" } } });
  const seat = openSeat(t, lab);
  seat.write(
    "c.yaml",
    `cluster: [{host: ${A}, slots: 2}, {host: ${B}, slots: 1}]\ndefaults: {gpus: 0}\nlauncher: direct\nrestart: {max: 0}\ntimeouts: {stop_grace: 2s}\n`,
  );
  seat.write("tell.py", TELL);

  for (const signal of ["SIGHUP", "SIGKILL"] as const) {
    await t.test(`${signal} to the up that started it: it goes on, and attach from another shows the rest`, async () => {
      const { run, state } = await startTelling(seat, async (args) => {
        const known = seat.latest();
        const up = seat.start(["up", ...args]);
        await up.says(/r2 \| \d+ of/);
        process.kill(up.pid, signal);
        const { code } = await up.done;
        if (signal === "SIGHUP") assert.equal(code, 0);
        assert.notEqual(seat.latest(), known);
        return seat.latest();
      });
      await goesOn(seat, run);
      const attached = seat.start(["attach", run]);
      await attached.says(/r0 \| \d+ of/);
      await attached.says(/r2 \| \d+ of/);
      const left = seat.start(["attach", run]);
      await left.says(/r1 \| \d+ of/);
      const before = seat.log(run, A, "rank1.out").split("\n").length;
      await until("it watches, beyond the lines of before", () => Number(/.*r1 \| (\d+) of/s.exec(left.text())?.[1] ?? 0) > before + 50);
      process.kill(left.pid, "SIGINT");
      assert.equal((await left.done).code, 0, "leaving an attach touches nothing");
      await goesOn(seat, run);
      await finishWhole(seat, lab, run, state);
      const { code, out } = await attached.done;
      assert.equal(code, 0);
      assert.match(out, new RegExp(`==> ${run} succeeded`));
    });
  }

  await t.test("kill -9 of the controller: the next command starts it again, same ranks, whole logs", async () => {
    const { run, state } = await startTelling(seat, (args) => seat.up(args));
    const pid = await controllerPid(seat.stateDir);
    assert.ok(pid !== null);
    process.kill(pid, "SIGKILL");
    await until("it is gone", () => !isRunning(pid));
    const { code, out } = await seat.cli(["--json", "ps"]);
    assert.equal(code, 0);
    assert.match(out, new RegExp(run));
    assert.notEqual(await controllerPid(seat.stateDir), pid);
    await goesOn(seat, run);
    await finishWhole(seat, lab, run, state);
  });

  await t.test("kill -9 of the controller under an up that watches: the up says so and goes on to the end", async () => {
    let up: ReturnType<Seat["start"]> | undefined;
    const { run, state } = await startTelling(seat, async (args) => {
      up = seat.start(["up", ...args]);
      await up.says(/r2 \| \d+ of/);
      return seat.latest();
    });
    process.kill((await controllerPid(seat.stateDir)) ?? 0, "SIGKILL");
    await up?.says(/the controller is gone, training is not/);
    await goesOn(seat, run).catch((error: Error) => assert.fail(`${error.message}\n${up?.text().slice(-1000)}`));
    await finishWhole(seat, lab, run, state);
    assert.equal((await up?.done)?.code, 0);
  });

  await t.test("kill -9 of an agent: another comes up, the ranks stay, no byte is lost or doubled", async () => {
    const { run, state } = await startTelling(seat, (args) => seat.up(args));
    await lab.host("gpu-a").run(["kill", "-9", `${state.hosts[A]?.agent?.pid}`]);
    await seat.wait(run, "the agent was missed", (events) => events.some((event) => event.type === "host-unseen" && event.host === A));
    await seat.wait(run, "the agent is back", (_, now) => now.hosts[A]?.seen);
    await goesOn(seat, run);
    await finishWhole(seat, lab, run, state);
  });

  await t.test("kill -9 of a shim: the run fails with words, and nothing is left on any host", async () => {
    const { run } = await startTelling(seat, (args) => seat.up(args));
    const { stdout } = await lab
      .host("gpu-b")
      .run(["sh", "-c", "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline | grep -q '[s]him.py /' && echo ${p#/proc/}; done"]);
    const shims = stdout.split("\n").filter((line) => line !== "");
    assert.equal(shims.length, 1, stdout);
    await lab.host("gpu-b").run(["kill", "-9", shims[0] ?? ""]);
    const end = await seat.ended(run);
    assert.equal(end.phase, "failed");
    assert.match(end.failure?.text ?? "", /100\.66\.164\.19/);
    for (const host of lab.hosts) {
      const left = await host.run(["sh", "-c", `grep -l "NEXADIST_RUN=${run}" /proc/[0-9]*/environ 2>/dev/null; true`]);
      assert.equal(left.stdout, "", host.name);
    }
    for (const name of [A, B]) {
      const receipt = end.hosts[name]?.receipt;
      assert.ok(receipt !== null && receipt !== undefined && receipt !== "unknown");
      assert.equal(receipt.left === 0 || receipt.left === null, true, JSON.stringify(receipt));
    }
  });
});
