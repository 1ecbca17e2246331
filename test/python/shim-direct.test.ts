/** Ranks that the shim starts itself: what they are given, how their ends are told, how they are stopped. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { assertNothingLeft, isAlive, launch, makeLab, pythonRank, until } from "../support/shims.ts";

/** Saves for `seconds` after SIGTERM, counting how often it was told. */
const saver = (seconds: number) => `
import os, signal, time
told = []
signal.signal(signal.SIGTERM, lambda *_: told.append(1))
print("ready", flush=True)
while not told: time.sleep(0.01)
end = time.monotonic() + ${seconds}
while time.monotonic() < end: time.sleep(0.01)
print("saved, told", len(told), flush=True)
`;
const STUBBORN = `
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
while True: time.sleep(1)
`;

test("ranks get exactly their environment, and each end is told with its code", async (t) => {
  const lab = makeLab(t);
  process.env["NEXA_TEST_INHERITED"] = "leak";
  const armed = await lab.startShim();
  delete process.env["NEXA_TEST_INHERITED"];
  const agent = await lab.connect();
  const look = `
import os, json, signal, sys
status = dict(l.split(":") for l in open("/proc/self/status") if l.startswith("Sig") and l.count(":") == 1)
print(json.dumps({"env": dict(os.environ), "sid": os.getsid(0) == os.getpid(), "cwd": os.getcwd(), "stdin": os.readlink("/proc/self/fd/0"),
  "blocked": int(status["SigBlk"], 16), "fds": sorted(map(int, os.listdir("/proc/self/fd")))[:-1]}))
print("to stderr", file=sys.stderr)
`;
  const grep = {
    ...pythonRank(1, ""),
    argv: ["sh", "-c", `while ! test -s "$0"; do sleep 0.05; done; grep SigIgn /proc/self/status; exit 7`, join(lab.arm.dir, "rank0.out")],
  };
  agent.send(launch([pythonRank(0, look, { A: "b c" }), grep], 1000));
  const started = await agent.event("rank-started", (e) => e.rank === 1);
  const failed = await agent.event("rank-exited", (e) => e.rank === 1);
  assert.deepEqual([failed.code, failed.signal, failed.source, failed.pid], [7, null, "wait", started.pid]);
  const { receipt } = await agent.event("ended");
  assertNothingLeft(receipt);
  assert.match(lab.file("rank1.out"), /SigIgn:\s*0+$/m, "an ignored SIGPIPE would be inherited by every program below");
  const seen = JSON.parse(lab.file("rank0.out")) as Record<string, unknown>;
  const env = seen["env"] as Record<string, string>;
  delete env["LC_CTYPE"]; // the rank's own Python adds it
  assert.deepEqual(env, { PATH: process.env["PATH"], A: "b c", NEXADIST_MARK: lab.arm.mark });
  assert.deepEqual([seen["sid"], seen["cwd"], seen["stdin"], seen["blocked"]], [true, "/", "/dev/null", 0]);
  assert.deepEqual((seen["fds"] as number[]).slice(0, 3), [0, 1, 2]);
  assert.ok((seen["fds"] as number[]).length <= 4, "no descriptor of the shim reaches a rank");
  await until("the shim leaves", () => !isAlive(armed));
  const lines = lab.file("events.jsonl").trimEnd().split("\n");
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { index: number }).index),
    lines.map((_, i) => i),
  );
});

test("all ranks end well: nobody is signalled, and a late agent reads it all", async (t) => {
  const lab = makeLab(t, { ports: [0, 0] });
  const armed = await lab.startShim();
  assert.equal(new Set(armed.ports).size, 2);
  const first = await lab.connect();
  first.send(launch([pythonRank(0, "import time; time.sleep(0.3); print('a')"), pythonRank(1, "print('b')")], 1000));
  await first.event("launched");
  first.close(); // the agent dies; nothing changes
  const second = await lab.connect(1);
  const { receipt } = await second.event("ended");
  assert.deepEqual([receipt.signalled, receipt.exited, receipt.killed], [0, 2, 0]);
  assertNothingLeft(receipt);
  assert.deepEqual([second.events[0]?.index, second.events[0]?.type], [1, "launched"]);
  assert.ok(!second.events.some((e) => e.type === "stopping"));
  assert.deepEqual([lab.file("rank0.out"), lab.file("rank1.out")], ["a\n", "b\n"]);
});

test("one rank fails: its sibling is told once and finishes saving", async (t) => {
  const lab = makeLab(t);
  await lab.startShim();
  const agent = await lab.connect();
  agent.send(launch([pythonRank(0, saver(1.5)), pythonRank(1, "import os, time; time.sleep(0.5); os.kill(os.getpid(), 9)")], 20_000));
  const failed = await agent.event("rank-exited", (e) => e.rank === 1);
  assert.deepEqual([failed.code, failed.signal], [null, "SIGKILL"]);
  const { receipt } = await agent.event("ended");
  assert.deepEqual([receipt.signalled, receipt.exited, receipt.killed], [1, 2, 0]);
  const stopping = agent.events.filter((e) => e.type === "stopping");
  assert.deepEqual(
    stopping.map((e) => [e.why, e.graceMs]),
    [["rank 1 failed", 20_000]],
  );
  assert.equal(lab.file("rank0.out"), "ready\nsaved, told 1\n");
});

test("a rank that ignores SIGTERM is killed when the grace is over, and a second stop shortens it", async (t) => {
  const lab = makeLab(t);
  await lab.startShim();
  const agent = await lab.connect();
  agent.send(launch([pythonRank(0, STUBBORN)], 600_000));
  await agent.event("launched");
  await until("ready", () => lab.file("rank0.out") === "ready\n");
  agent.send({ do: "stop", graceMs: 600_000, why: "asked" });
  await agent.event("stopping");
  agent.send({ do: "stop", graceMs: 900_000, why: "longer: no" });
  agent.send({ do: "stop", graceMs: 300, why: "asked again" });
  const exited = await agent.event("rank-exited");
  assert.equal(exited.signal, "SIGKILL");
  const { receipt } = await agent.event("ended");
  assert.deepEqual([receipt.signalled, receipt.exited, receipt.killed], [1, 0, 1]);
  assert.deepEqual(
    agent.events.filter((e) => e.type === "stopping").map((e) => e.graceMs),
    [600_000, 300],
  );
});

test("SIGTERM to the shim stops with the grace of the launch; SIGHUP does nothing", async (t) => {
  const lab = makeLab(t);
  const armed = await lab.startShim();
  const agent = await lab.connect();
  agent.send(launch([pythonRank(0, saver(0.5))], 20_000));
  await agent.event("launched");
  await until("ready", () => lab.file("rank0.out") === "ready\n");
  process.kill(armed.pid, "SIGHUP");
  process.kill(armed.pid, "SIGTERM");
  await agent.event("ended");
  assert.equal(lab.file("rank0.out"), "ready\nsaved, told 1\n");
});

test("nothing launched: stop and disarm end with zeros, and launch comes too late", async (t) => {
  for (const command of [{ do: "stop", graceMs: 1000, why: "not needed" } as const, { do: "disarm" } as const]) {
    const lab = makeLab(t, { ports: [0] });
    await lab.startShim();
    const agent = await lab.connect();
    agent.send(command);
    agent.send(launch([pythonRank(0, "open('/proc/self/environ').read()")], 1000));
    const { receipt } = await agent.event("ended");
    assert.deepEqual([receipt.signalled, receipt.exited, receipt.killed, receipt.left], [0, 0, 0, 0]);
    assert.ok(!agent.events.some((e) => e.type === "launched" || e.type === "launch-failed"));
  }
});

test("a program that cannot be run: said so, and its siblings are ended without a word as ranks", async (t) => {
  const lab = makeLab(t);
  await lab.startShim();
  const agent = await lab.connect();
  agent.send(launch([pythonRank(0, STUBBORN), { ...pythonRank(1, ""), argv: [join(lab.arm.dir, "no-such-program")] }], 60_000));
  const failed = await agent.event("launch-failed");
  assert.equal(failed.rank, 1);
  assert.equal(failed.text, `${join(lab.arm.dir, "no-such-program")}: No such file or directory`);
  assertNothingLeft((await agent.event("ended")).receipt);
  assert.ok(!agent.events.some((e) => e.type === "rank-started" || e.type === "rank-exited"));
});

test("a shell around the program dies of SIGTERM at once; the program still has the whole grace", async (t) => {
  const lab = makeLab(t);
  await lab.startShim();
  const agent = await lab.connect();
  const program = pythonRank(0, saver(6.5));
  agent.send(launch([{ ...program, argv: ["sh", "-c", '"$@"; true', "sh", ...program.argv] }], 60_000));
  await agent.event("launched");
  await until("ready", () => lab.file("rank0.out") === "ready\n");
  agent.send({ do: "stop", graceMs: 60_000, why: "asked" });
  assert.equal((await agent.event("rank-exited")).signal, "SIGTERM");
  const { receipt } = await agent.event("ended");
  assert.deepEqual([receipt.signalled, receipt.exited, receipt.killed, receipt.left], [2, 2, 0, 0]);
  assert.equal(lab.file("rank0.out"), "ready\nsaved, told 1\n");
});
