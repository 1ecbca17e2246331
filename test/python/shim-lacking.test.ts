/** Kernels and Pythons that lack something: the shim does without, and claims no more than it knows. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { launcher, QUICK_AND_HARD, SAVE_3_S, startPair, WAIT } from "../support/launchers.ts";
import { assertNothingLeft, launch, makeLab, pythonRank, until } from "../support/shims.ts";

const NO_CGROUP = "shim_cgroup.make = lambda name: None";
const NO_SUBREAPER = "shim.become_subreaper = lambda: False";
const NO_PIDFD = "shim_proc.open_pidfd = shim_procs.open_pidfd = lambda pid, start: None";
/** Before Linux 6.15 nobody tells the exit status of a process that another has reaped. */
const NO_EXIT_INFO = "shim_procs.exit_status_of = lambda pidfd: None";
/** The instant between a rank's death and its launcher's wait(2) is never seen. */
const NO_ZOMBIES = "shim_procs.read_stat = lambda pid, look=shim_procs.read_stat: None if (s := look(pid)) is None or s.is_gone() else s";

const DAEMON = `
import os, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv("/usr/bin/env", ["env", "-i", sys.executable, "-c", "import time; time.sleep(600)"])
    os._exit(0)
os.wait()
`;

test("no cgroup: the subreaper alone finds an unmarked daemon", async (t) => {
  const lab = makeLab(t);
  const armed = await lab.startShim(NO_CGROUP);
  assert.deepEqual(armed.containment, ["subreaper", "mark"]);
  const agent = await lab.connect();
  agent.send(launch([pythonRank(0, DAEMON)], 1000));
  const { receipt } = await agent.event("ended");
  assertNothingLeft(receipt);
  assert.deepEqual(receipt.proof, ["subreaper", "pids", "mark"]);
  assert.equal(receipt.signalled + receipt.killed, 1);
});

test("neither cgroup nor subreaper: recorded pids and the mark", async (t) => {
  const lab = makeLab(t);
  const armed = await lab.startShim(`${NO_CGROUP}\n${NO_SUBREAPER}`);
  assert.deepEqual(armed.containment, ["mark"]);
  const agent = await lab.connect();
  agent.send(launch([pythonRank(0, DAEMON.replace('"env", "-i", ', '"env", '))], 1000));
  const { receipt } = await agent.event("ended");
  assert.deepEqual([receipt.left, receipt.proof, receipt.signalled], [0, ["pids", "mark"], 1]);
});

test("no pidfds: ends are noticed all the same, and a stop lets ranks save", async (t) => {
  const lab = makeLab(t);
  const agent = await startPair(lab, QUICK_AND_HARD, [SAVE_3_S, SAVE_3_S], 30_000, `${NO_PIDFD}\n${NO_EXIT_INFO}`);
  await until("ready", () => lab.file("rank4.out") + lab.file("rank5.out") === "ready\nready\n");
  agent.send({ do: "stop", graceMs: 30_000, why: "asked" });
  assertNothingLeft((await agent.event("ended")).receipt);
  for (const rank of [4, 5]) {
    assert.equal(lab.file(`rank${rank}.out`), "ready\nsaved, told 1\n");
    assert.equal((await agent.event("rank-exited", (e) => e.rank === rank)).code, 0);
  }
});

test("a rank that its launcher reaped first: the launcher's own text gives the status, once", async (t) => {
  const lab = makeLab(t);
  const agent = await startPair(lab, QUICK_AND_HARD, [SAVE_3_S, WAIT], 30_000, `${NO_PIDFD}\n${NO_EXIT_INFO}\n${NO_ZOMBIES}`);
  await until("ready", () => lab.file("rank4.out") === "ready\n");
  const victim = await agent.event("rank-started", (e) => e.rank === 5);
  process.kill(victim.pid, "SIGKILL");
  assertNothingLeft((await agent.event("ended")).receipt);
  const exits = agent.events.filter((e) => e.type === "rank-exited" && e.rank === 5);
  assert.deepEqual(
    exits.map((e) => e.type === "rank-exited" && [e.code, e.signal, e.source]),
    [[null, "SIGKILL", "launcher"]],
  );
  assert.equal(lab.file("rank4.out"), "ready\nsaved, told 1\n");
});

test("a launcher that reaps and says nothing: the end is told as unknown, not guessed", async (t) => {
  const lab = makeLab(t);
  await lab.startShim(`${NO_PIDFD}\n${NO_EXIT_INFO}\n${NO_ZOMBIES}`);
  const agent = await lab.connect();
  agent.send(launch([launcher(lab, "for r in ranks: r.wait()\ntime.sleep(1)", ["import time; time.sleep(0.3)"])], 1000, 1));
  const exited = await agent.event("rank-exited");
  assert.deepEqual([exited.code, exited.signal, exited.source], [null, null, "unknown"]);
  assertNothingLeft((await agent.event("ended")).receipt);
  assert.ok(!agent.events.some((e) => e.type === "stopping"), "unknown is not failed");
});

test("a launcher that reaps, says nothing and ends at once: its own success is the word for its ranks, its failure is not", async (t) => {
  for (const [status, expected] of [
    [0, [0, "launcher"]],
    [1, [null, "unknown"]],
  ] as const) {
    const lab = makeLab(t);
    await lab.startShim(`${NO_PIDFD}\n${NO_EXIT_INFO}\n${NO_ZOMBIES}`);
    const agent = await lab.connect();
    agent.send(launch([launcher(lab, `for r in ranks: r.wait()\nsys.exit(${status})`, ["import time; time.sleep(0.3)"])], 1000, 1));
    assertNothingLeft((await agent.event("ended")).receipt);
    const exited = await agent.event("rank-exited");
    const last = await agent.event("launcher-exited");
    assert.deepEqual([exited.code, exited.source, last.code], [...expected, status]);
    assert.ok(exited.index < last.index);
    assert.ok(!agent.events.some((e) => e.type === "stopping"));
  }
});
