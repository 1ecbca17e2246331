/** What programs leave behind, and what a lost shim leaves: all of it is found and ended, and nothing that is not of the attempt. */

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Receipt } from "../../cluster/shim-contract.ts";
import { assertNothingLeft, isAlive, type Lab, launch, makeLab, PYTHON, pythonRank, readStat, runShim, until } from "../support/shims.ts";

/** A daemon without mark, session or parent of the rank's, under another name; `onTerm` is what it does then. */
const daemoniser = (pidFile: string, onTerm: string, after: string) => `
import os, sys
code = """
import ctypes, os, signal, time
ctypes.CDLL(None).prctl(15, b"kworker/0:1", 0, 0, 0)
signal.signal(signal.SIGTERM, ${onTerm})
open('${pidFile}', 'w').write(str(os.getpid()))
while True: time.sleep(1)
"""
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv("/usr/bin/env", ["env", "-i", sys.executable, "-c", code])
    os._exit(0)
os.wait()
import time
while not os.path.exists('${pidFile}') or not open('${pidFile}').read(): time.sleep(0.01)
${after}
`;

/** A process that only looks as if it were of the attempt: same program, almost the same mark. */
function startBystander(t: TestContext, lab: Lab): ChildProcess & { readonly pid: number } {
  const child = spawn(PYTHON, ["-c", "import time; time.sleep(600)"], { env: { ...process.env, NEXADIST_MARK: `${lab.arm.mark}0` }, stdio: "ignore" });
  t.after(() => child.kill("SIGKILL"));
  assert.ok(child.pid !== undefined);
  return child as ChildProcess & { readonly pid: number };
}

function readDaemon(path: string): { pid: number; start: number } {
  const pid = Number(readFileSync(path, "utf8"));
  const stat = readStat(pid);
  assert.ok(stat !== null);
  return { pid, start: stat.start };
}

test("a renamed, unmarked daemon that outlives its successful rank is told, then ended; a bystander is not touched", async (t) => {
  const lab = makeLab(t);
  await lab.startShim();
  const agent = await lab.connect();
  const bystander = startBystander(t, lab);
  const stubborn = join(lab.arm.dir, "stubborn");
  const polite = join(lab.arm.dir, "polite");
  agent.send(launch([pythonRank(0, daemoniser(stubborn, "signal.SIG_IGN", "")), pythonRank(1, daemoniser(polite, "lambda *_: os._exit(0)", ""))], 400));
  const { receipt } = await agent.event("ended");
  assertNothingLeft(receipt);
  assert.deepEqual([receipt.signalled, receipt.exited, receipt.killed], [2, 3, 1]);
  for (const path of [stubborn, polite]) assert.equal(readStat(Number(readFileSync(path, "utf8"))), null);
  assert.equal(bystander.exitCode, null);
  assert.ok(!agent.events.some((e) => e.type === "stopping"));
});

test("kill -9 of the shim leaves the ranks; a sweep refuses while it lives and ends everything after", async (t) => {
  const lab = makeLab(t);
  const shim = await lab.startShim();
  const agent = await lab.connect();
  const path = join(lab.arm.dir, "daemon");
  agent.send(launch([pythonRank(0, daemoniser(path, "signal.SIG_IGN", "print('ready', flush=True)\nwhile True: time.sleep(1)"))], 60_000));
  const rank = await agent.event("rank-started");
  await until("ready", () => lab.file("rank0.out") === "ready\n");
  const daemon = readDaemon(path);
  await until("the orphan is on record", () => lab.file("pids.jsonl").includes(`"pid":${daemon.pid},`));

  const refused = await runShim("--sweep", lab.armPath);
  assert.deepEqual([refused.code, refused.stdout], [1, ""]);
  assert.ok(isAlive(rank) && isAlive(daemon) && isAlive(shim));

  process.kill(shim.pid, "SIGKILL");
  await until("the shim is gone", () => !isAlive(shim));
  assert.ok(isAlive(rank) && isAlive(daemon));
  const bystander = startBystander(t, lab);
  const swept = await runShim("--sweep", lab.armPath, "300");
  assert.equal(swept.code, 0, swept.stderr);
  const receipt = JSON.parse(swept.stdout) as Receipt;
  assertNothingLeft(receipt);
  assert.ok(!isAlive(rank) && !isAlive(daemon));
  assert.ok(receipt.proof.includes("pids") && !receipt.proof.includes("subreaper"));
  assert.ok(receipt.gpuMemoryMiB !== null || receipt.gpuMemoryWhy !== undefined, "unknown GPU memory has its reason");
  assert.equal(bystander.exitCode, null);
  const again = JSON.parse((await runShim("--sweep", lab.armPath)).stdout) as Receipt;
  assert.deepEqual([again.signalled, again.killed, again.left], [0, 0, 0]);
});

test("a sweep leaves a process alone whose start time is not the recorded one", async (t) => {
  const lab = makeLab(t);
  const shim = await lab.startShim();
  const stranger = startBystander(t, lab);
  process.kill(shim.pid, "SIGKILL");
  await until("the shim is gone", () => !isAlive(shim));
  const start = readStat(stranger.pid)?.start ?? 0;
  appendFileSync(join(lab.arm.dir, "pids.jsonl"), `${JSON.stringify({ pid: stranger.pid, start: start - 1, role: "rank", rank: 0 })}\n`);
  const swept = await runShim("--sweep", lab.armPath);
  const receipt = JSON.parse(swept.stdout) as Receipt;
  assert.deepEqual([receipt.signalled, receipt.killed, receipt.left], [0, 0, 0]);
  assert.equal(stranger.exitCode, null);
  assert.ok(isAlive({ pid: stranger.pid, start }));
});

test("with nothing recorded a sweep finds by mark, ends what it finds, and does not claim that nothing is left", async (t) => {
  const lab = makeLab(t);
  const marked = spawn(PYTHON, ["-c", "import time; time.sleep(600)"], { env: { ...process.env, NEXADIST_MARK: lab.arm.mark }, stdio: "ignore" });
  t.after(() => marked.kill("SIGKILL"));
  const gone = new Promise((resolve) => marked.once("exit", (_, signal) => resolve(signal)));
  writeFileSync(lab.armPath, JSON.stringify({ ...lab.arm, dir: join(lab.arm.dir, "..") })); // a state directory that lost its files
  const swept = await runShim("--sweep", lab.armPath, "0");
  const receipt = JSON.parse(swept.stdout) as Receipt;
  assert.deepEqual([receipt.killed, receipt.left, receipt.proof], [1, null, ["mark"]]);
  assert.equal(await gone, "SIGKILL");
});

test("a second shim of an attempt is refused, alive or ended, and touches nothing of the first", async (t) => {
  const lab = makeLab(t);
  const shim = await lab.startShim();
  const before = lab.file("events.jsonl");
  const second = await runShim(lab.armPath);
  assert.deepEqual([second.code, (JSON.parse(second.stdout) as { code: string }).code], [1, "LOCKED"]);
  assert.equal(lab.file("events.jsonl"), before);
  assert.ok(isAlive(shim));
  const agent = await lab.connect(); // its socket still answers
  agent.send({ do: "disarm" });
  await agent.event("ended");
  agent.close();
  await until("the shim leaves", () => !isAlive(shim));
  const third = await runShim(lab.armPath);
  assert.deepEqual([third.code, (JSON.parse(third.stdout) as { code: string }).code], [1, "DIR"]);
});
