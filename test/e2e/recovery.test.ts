/** What ends an attempt, for real: each time all of it is ended everywhere, and another one trains; and what must not end it does not. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { RunState } from "../../cluster/run/state.ts";
import { controllerPid, openSeat, readJournal, type Seat, until } from "../support/controller.ts";
import { type Lab, needsRoot, startLab } from "../support/lab.ts";
import { STEPPER, TOGETHER } from "../support/stepper.ts";

const A = "100.66.164.18";
const B = "100.66.164.19";
const C = "100.66.164.20";
const NAMES: Readonly<Record<string, string>> = { [A]: "gpu-a", [B]: "gpu-b", [C]: "gpu-c" };

const fileWith = (restart: string, spares = ""): string =>
  `cluster: [{host: ${A}, slots: 1}, {host: ${B}, slots: 1}]\n${spares}defaults: {gpus: 0}\nlauncher: direct\nrestart: {${restart}}\ntimeouts: {stop_grace: 2s}\n`;
const SPARE = `spares: [{host: ${C}, slots: 1}]\n`;

/** Longer than every deadline of the links and of loss. */
const FROZEN_MS = 15_000;

let count = 0;

async function begin(seat: Seat, file: string, argv: readonly string[] = ["steps.py"]): Promise<{ run: string; first: RunState }> {
  seat.write("c.yaml", file);
  const run = await seat.up(["c.yaml", "--name", `n${++count}`, "--", ...argv]);
  return { run, first: await trains(seat, run, 1) };
}

/** All ranks of the attempt write steps. */
async function trains(seat: Seat, run: string, attempt: number): Promise<RunState> {
  const state = await seat.wait(run, `attempt ${attempt} runs`, (_, now) => (now.attempt === attempt && now.phase === "running" ? now : null));
  await until("all ranks step", () =>
    Object.values(state.ranks).every(({ rank, host }) => seat.log(run, host, `rank${rank}.out`, attempt).includes("step 3\n")),
  );
  return state;
}

/** Processes of the run on a host, by the environment that they began with. */
async function alive(lab: Lab, host: string, run: string, attempt?: number): Promise<string[]> {
  const mark = attempt === undefined ? `/${run}/` : `/${run}/${attempt}/`;
  const { stdout } = await lab.host(NAMES[host] ?? "").run(["sh", "-c", `grep -l '${mark}' /proc/[0-9]*/environ 2>/dev/null; true`]);
  return stdout.split("\n").filter((line) => line !== "");
}

async function stopClean(seat: Seat, lab: Lab, run: string): Promise<void> {
  const said = await seat.cli(["stop", run]);
  assert.equal(said.code, 0, said.out + said.err);
  for (const host of [A, B, C]) assert.deepEqual(await alive(lab, host, run), [], host);
}

const attempts = (seat: Seat, run: string): number => readJournal(seat.stateDir, run).filter(({ event }) => event.type === "attempt-begun").length;
const lines = (seat: Seat, run: string): number => [A, B].reduce((sum, host, rank) => sum + seat.log(run, host, `rank${rank}.out`).length, 0);

test("what ends an attempt is followed by another", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t, { hosts: 3, gpus: 0, options: { "*": { path: "train" } } });
  const seat = openSeat(t, lab);
  seat.write("steps.py", STEPPER);
  seat.write("together.py", TOGETHER);

  const kill = async (host: string, pid: number | undefined): Promise<void> => {
    assert.equal((await lab.host(NAMES[host] ?? "").run(["kill", "-9", `${pid}`])).exitCode, 0);
  };
  const shims = async (host: string): Promise<number[]> => {
    const find = "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline | grep -q '[s]him.py /' && echo ${p#/proc/}; done; true";
    return (await lab.host(NAMES[host] ?? "").run(["sh", "-c", find])).stdout.split("\n").filter(Boolean).map(Number);
  };

  const deaths: readonly (readonly [string, (first: RunState) => Promise<void>])[] = [
    ["a rank", (first) => kill(B, first.ranks[1]?.pid)],
    ["a shim", async () => kill(B, (await shims(B))[0])],
    [
      "an agent and its shim",
      async (first) => {
        await kill(B, first.hosts[B]?.agent?.pid);
        await kill(B, (await shims(B))[0]);
      },
    ],
    [
      "a host, which is started again",
      async () => {
        await lab.host("gpu-b").kill();
        await lab.host("gpu-b").boot();
      },
    ],
  ];
  for (const [what, end] of deaths) {
    await t.test(`the death of ${what}: all of the attempt ends, the next one trains on new processes, nothing is left after a stop`, async () => {
      const { run, first } = await begin(seat, fileWith("backoff: 1s"));
      await end(first);
      const second = await trains(seat, run, 2);
      for (const host of [A, B]) assert.deepEqual(await alive(lab, host, run, 1), [], `of attempt 1 on ${host}`);
      assert.notEqual(second.ranks[0]?.pid, first.ranks[0]?.pid);
      assert.equal(attempts(seat, run), 2);
      await stopClean(seat, lab, run);
    });
  }

  await t.test("the rendezvous host's cable out: a spare takes its ranks; it comes back, ends what it had and disturbs nobody", async () => {
    const { run } = await begin(seat, fileWith("on_host_loss: spare", SPARE));
    await lab.host("gpu-a").link("down");
    const second = await trains(seat, run, 2);
    assert.deepEqual(second.members, [C, B]);
    assert.equal(second.ranks[0]?.host, C);
    assert.notDeepEqual(await alive(lab, A, run, 1), [], "nobody could have ended it");
    await lab.host("gpu-a").link("up");
    await seat.wait(run, "gpu-a has ended its attempt", (_, now) => now.hosts[A]?.mayRun === false && now.hosts[A]?.lost === null);
    assert.deepEqual(await alive(lab, A, run), []);
    assert.equal(attempts(seat, run), 2);
    assert.equal(second.spent, 0, "a lost host costs no budget");
    await stopClean(seat, lab, run);
  });

  await t.test("wait: nothing begins until the lost host is back and has ended its own", async () => {
    const { run } = await begin(seat, fileWith("on_host_loss: wait"));
    await lab.host("gpu-b").link("down");
    await seat.wait(run, "it waits", (_, now) => now.phase === "recovering" && now.cause !== null);
    const { out } = await seat.cli(["status", run]);
    assert.match(out, new RegExp(`waiting for ${B}`));
    assert.equal(attempts(seat, run), 1);
    await lab.host("gpu-b").link("up");
    await trains(seat, run, 2);
    assert.deepEqual(await alive(lab, B, run, 1), []);
    await stopClean(seat, lab, run);
  });

  await t.test("shrink: the rest goes on with a smaller world; frozen counts as lost, and thawed it ends what it had", async () => {
    const { run } = await begin(seat, fileWith("on_host_loss: shrink"), ["together.py"]);
    await lab.host("gpu-b").freeze();
    const second = await trains(seat, run, 2);
    assert.deepEqual([second.members, second.world], [[A], 1]);
    await lab.host("gpu-b").thaw();
    await seat.wait(run, "gpu-b has ended its attempt", (_, now) => now.hosts[B]?.mayRun === false);
    assert.equal(attempts(seat, run), 2);
    await stopClean(seat, lab, run);
  });
});

test("what must not end an attempt", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t, { hosts: 2, gpus: 0, options: { "*": { path: "train" } } });
  const seat = openSeat(t, lab);
  seat.write("steps.py", STEPPER);
  const { run, first } = await begin(seat, fileWith("on_host_loss: shrink"));
  const watch = seat.start(["attach", run]);
  await watch.says(/step/);

  const isUntouched = async (): Promise<void> => {
    const { stdout } = await lab.host("gpu-b").run(["sh", "-c", `test -d /proc/${first.ranks[1]?.pid} && echo there`]);
    assert.equal(stdout.trim(), "there");
    assert.equal(attempts(seat, run), 1);
  };

  await t.test("the link from the controller to one host: the others reach it, it is said, nothing restarts", async () => {
    await lab.block("controller", "gpu-b");
    await watch.says(/: \S+ reaches it: the host is alive, its agent or the link from here is gone; nothing is restarted/);
    await isUntouched();
    await lab.unblock("controller", "gpu-b");
    await seat.wait(run, "seen again", (_, now) => now.hosts[B]?.seen);
    await isUntouched();
  });

  await t.test("the controller cut off from all: it doubts itself and says so", async () => {
    for (const host of ["gpu-a", "gpu-b"]) await lab.block("controller", host);
    await watch.says(/2 of 2 hosts are silent: this machine may be the one that is cut off; nothing is restarted/);
    for (const host of ["gpu-a", "gpu-b"]) await lab.unblock("controller", host);
    await seat.wait(run, "seen again", (_, now) => now.hosts[A]?.seen && now.hosts[B]?.seen);
    await isUntouched();
  });

  await t.test("a controller that was frozen for longer than any deadline of its own", async () => {
    const pid = (await controllerPid(seat.stateDir)) ?? 0;
    process.kill(pid, "SIGSTOP");
    await delay(FROZEN_MS); // the length is what is tested
    process.kill(pid, "SIGCONT");
    await watch.says(/the controller stood still for \d+ s/);
    await seat.wait(run, "seen", (_, now) => now.hosts[A]?.seen && now.hosts[B]?.seen);
    const before = lines(seat, run);
    await until("logs go on", () => lines(seat, run) > before);
    await isUntouched();
  });
  await seat.cli(["stop", run]);
});
