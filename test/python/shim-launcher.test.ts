/** Ranks below a launcher that is a stand-in for torchrun, and the prologue. */

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { BLIND, launcher, QUICK_AND_HARD, SAVE_3_S, startPair, WAIT } from "../support/launchers.ts";
import { assertNothingLeft, isAlive, launch, makeLab, readStat, until } from "../support/shims.ts";

test("a rank behind the prologue: its files, its variables, its own program in its own process", async (t) => {
  const lab = makeLab(t);
  await lab.startShim();
  const agent = await lab.connect();
  const look = `
import json, os
print(json.dumps({"pid": os.getpid(), "env": dict(os.environ), "sigign": [l for l in open("/proc/self/status") if l.startswith("SigIgn")][0].split()[1]}))
open(os.environ["TORCHELASTIC_ERROR_FILE"], "w").write("{}")
`;
  const env = {
    NCCL_DEBUG: "INFO",
    NEXADIST_MASTER_PORT: "29511",
    NEXADIST_SCRATCH_BASE: "/scratch/run",
    NEXADIST_RUN: "r",
    NEXADIST_ATTEMPT: "1",
    LC_ALL: "C",
  };
  agent.send(launch([launcher(lab, QUICK_AND_HARD, [look], env)], 1000, 1));
  const started = await agent.event("rank-started");
  assert.deepEqual([started.rank, started.localRank], [4, 0]);
  const exited = await agent.event("rank-exited");
  assert.deepEqual([exited.rank, exited.pid, exited.code], [4, started.pid, 0]);
  assertNothingLeft((await agent.event("ended")).receipt);
  const seen = JSON.parse(lab.file("rank4.out")) as { pid: number; env: Record<string, string>; sigign: string };
  assert.equal(seen.pid, started.pid, "the program is the process that was recorded");
  assert.equal(seen.env["NCCL_DEBUG_FILE"], join(lab.arm.dir, "rank4.nccl"));
  assert.equal(seen.env["NEXA_SCRATCH"], "/scratch/run/rank_4");
  assert.equal(seen.env["MASTER_PORT"], "29511");
  assert.deepEqual([seen.env["NEXADIST_MARK"], seen.env["NEXADIST_RUN"], seen.env["NEXADIST_ATTEMPT"]], [lab.arm.mark, "r", "1"]);
  for (const name of ["NEXADIST_SOCKET", "NEXADIST_DIR", "NEXADIST_MASTER_PORT", "NEXADIST_SCRATCH_BASE"]) assert.equal(seen.env[name], undefined, name);
  assert.equal(Number.parseInt(seen.sigign, 16) & (1 << 12), 1 << 12, "the test's own Python ignores SIGPIPE; see shim-direct for what a program gets");
  assert.equal(realpathSync(join(lab.arm.dir, "theirs0.json")), realpathSync(join(lab.arm.dir, "error/rank4.json")));
  assert.equal(lab.file("launcher.out"), "started\n");
});

test("the launcher had not noticed a failure: siblings are told once, by us, and save past the launcher's patience", async (t) => {
  const lab = makeLab(t);
  const agent = await startPair(lab, BLIND, [SAVE_3_S, WAIT], 30_000);
  await until("ready", () => lab.file("rank4.out") === "ready\n");
  const victim = await agent.event("rank-started", (e) => e.rank === 5);
  process.kill(victim.pid, "SIGKILL");
  const exited = await agent.event("rank-exited");
  assert.deepEqual([exited.rank, exited.signal, exited.source], [5, "SIGKILL", "stat"]);
  const { receipt } = await agent.event("ended");
  assertNothingLeft(receipt);
  assert.equal(lab.file("rank4.out"), "ready\nsaved, told 1\n");
});

test("the launcher had noticed and told: siblings are not told again and are not killed by it", async (t) => {
  const lab = makeLab(t);
  const agent = await startPair(lab, QUICK_AND_HARD, [SAVE_3_S, WAIT], 30_000);
  await until("ready", () => lab.file("rank4.out") === "ready\n");
  const victim = await agent.event("rank-started", (e) => e.rank === 5);
  process.kill(victim.pid, "SIGKILL");
  const exited = await agent.event("rank-exited");
  assert.deepEqual([exited.rank, exited.signal], [5, "SIGKILL"]);
  assert.notEqual(exited.source, "unknown");
  const { receipt } = await agent.event("ended");
  assertNothingLeft(receipt);
  assert.equal(lab.file("rank4.out"), "ready\nsaved, told 1\n");
  const last = await agent.event("launcher-exited");
  assert.equal(last.signal, "SIGKILL", "it never came to its own SIGKILL of the ranks");
});

test("stop: the launcher is frozen first, ranks save under a grace longer than its patience", async (t) => {
  const lab = makeLab(t);
  const agent = await startPair(lab, QUICK_AND_HARD, [SAVE_3_S, SAVE_3_S], 30_000);
  await until("ready", () => lab.file("rank4.out") + lab.file("rank5.out") === "ready\nready\n");
  agent.send({ do: "stop", graceMs: 30_000, why: "asked" });
  const { receipt } = await agent.event("ended");
  assertNothingLeft(receipt);
  assert.deepEqual([receipt.signalled, receipt.exited, receipt.killed], [2, 2, 1]);
  for (const rank of [4, 5]) {
    assert.equal(lab.file(`rank${rank}.out`), "ready\nsaved, told 1\n");
    assert.equal((await agent.event("rank-exited", (e) => e.rank === rank)).code, 0);
  }
});

test("kill -9 of the launcher: its ranks are told, save, and end", async (t) => {
  const lab = makeLab(t);
  const agent = await startPair(lab, QUICK_AND_HARD, [SAVE_3_S, SAVE_3_S], 30_000);
  await until("ready", () => lab.file("rank4.out") + lab.file("rank5.out") === "ready\nready\n");
  const { pids } = await agent.event("launched");
  const [torchrun] = pids;
  assert.ok(torchrun !== undefined && torchrun.role === "launcher");
  process.kill(torchrun.pid, "SIGKILL");
  assert.equal((await agent.event("stopping")).why, "launcher died");
  const { receipt } = await agent.event("ended");
  assertNothingLeft(receipt);
  assert.deepEqual([receipt.signalled, receipt.exited, receipt.killed], [2, 3, 0]);
  for (const rank of [4, 5]) assert.equal(lab.file(`rank${rank}.out`), "ready\nsaved, told 1\n");
});

test("children of a launcher that never said hello are told too", async (t) => {
  const lab = makeLab(t);
  await lab.startShim();
  const agent = await lab.connect();
  agent.send(launch([launcher(lab, BLIND, [SAVE_3_S], { NEXADIST_SOCKET: join(lab.arm.dir, "nobody") })], 30_000, 1));
  await agent.event("launched");
  await until("ready", () => {
    try {
      return lab.file("rank4.out") === "ready\n";
    } catch {
      return false;
    }
  });
  assert.match(lab.file("rank4.err"), /^nexadist: /, "the rank says that it could not be registered, and runs");
  agent.send({ do: "stop", graceMs: 30_000, why: "asked" });
  const { receipt } = await agent.event("ended");
  assertNothingLeft(receipt);
  assert.equal(lab.file("rank4.out"), "ready\nsaved, told 1\n");
});

test("a hello cannot name another process", async (t) => {
  const lab = makeLab(t);
  await lab.startShim();
  const agent = await lab.connect();
  mkdirSync(join(lab.arm.dir, "x"));
  const victim = { pid: process.pid, start: readStat(process.pid)?.start ?? 0 };
  const liar = `
import json, os, socket, time
s = socket.socket(socket.AF_UNIX); s.connect(${JSON.stringify(lab.arm.socket)})
s.sendall((json.dumps({"hello": "rank", "rank": 9, "localRank": 0, "pid": ${victim.pid}, "start": ${victim.start}}) + "\\n").encode()); s.recv(10)
time.sleep(600)
`;
  agent.send(launch([launcher(lab, BLIND, [liar])], 1000, 1));
  const lie = await agent.event("rank-started", (e) => e.rank === 9 || (e.rank === 4 && e.pid !== victim.pid));
  assert.notEqual(lie.pid, victim.pid);
  agent.send({ do: "stop", graceMs: 0, why: "seen" });
  const { receipt } = await agent.event("ended");
  assertNothingLeft(receipt);
  assert.ok(isAlive(victim) && readFileSync("/proc/self/stat", "utf8") !== "");
});
