/** Ports, the socket and the quota: held without listening, answered without growing, bounded without moving an offset. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, statSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import type { Of } from "../support/shims.ts";
import { HAS_TORCH, isAlive, launch, makeLab, pythonRank, runShim, TORCH_PYTHON, until } from "../support/shims.ts";

test("a named port that a stranger has is refused, and the stranger is named", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const lab = makeLab(t, { ports: [port] });
  const { code, stdout } = await runShim(lab.armPath);
  const failed = JSON.parse(stdout) as Of<"arm-failed">;
  assert.deepEqual([code, failed.type, failed.code, failed.port], [1, "arm-failed", "PORT_BUSY", port]);
  assert.match(failed.text, new RegExp(`pid ${process.pid}, user \\S+`));
  assert.equal(lab.file("events.jsonl"), `${lab.file("events.jsonl").trim()}\n`);
  assert.equal((JSON.parse(lab.file("events.jsonl")) as { code: string }).code, "PORT_BUSY");
});

test("held ports keep strangers out, can be taken by a TCPStore-like server, and are let go at the end", async (t) => {
  const lab = makeLab(t, { ports: [0, 0] });
  const armed = await lab.startShim();
  const [port] = armed.ports;
  assert.ok(port !== undefined && armed.ports.every((p) => p >= 21000 && p <= 21999));
  const plain = `import socket; socket.socket().bind(("127.0.0.1", ${port}))`;
  assert.throws(() => execFileSync("python3", ["-c", plain], { stdio: "pipe" }), /Address already in use/);
  const other = makeLab(t, { ports: [port], portLocks: lab.arm.portLocks });
  const refused = JSON.parse((await runShim(other.armPath)).stdout) as Of<"arm-failed">;
  assert.equal(refused.code, "PORT_BUSY");
  assert.match(refused.text, /another nexadist attempt/);

  const store = `
import socket
s = socket.socket(socket.AF_INET6); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("::", ${port})); s.listen(); print("listening", flush=True); s.accept()
`;
  const agent = await lab.connect();
  agent.send(launch([pythonRank(0, store)], 1000));
  await agent.event("launched");
  await until("the store listens on the held port", () => lab.file("rank0.out") === "listening\n" || lab.file("rank0.err") !== "");
  assert.equal(lab.file("rank0.err"), "");
  const client = createConnection(port, "127.0.0.1");
  await once(client, "connect");
  client.destroy();
  await agent.event("ended");
  // No lock and no socket of ours is left, although the shim still lingers for this agent.
  execFileSync("python3", [
    "-c",
    `import socket; s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("", ${port})); s.listen()`,
  ]);
});

test("torch's own TCPStore takes a held port", { skip: HAS_TORCH ? false : "no Python with torch; scripts/setup makes one" }, async (t) => {
  const lab = makeLab(t, { ports: [0] });
  const armed = await lab.startShim();
  const agent = await lab.connect();
  const code = `
from torch.distributed import TCPStore
server = TCPStore("127.0.0.1", ${armed.ports[0]}, None, True, wait_for_workers=False)
client = TCPStore("127.0.0.1", ${armed.ports[0]}, None, False)
client.set("a", "b"); print(server.get("a").decode())
`;
  agent.send(launch([{ ...pythonRank(0, ""), argv: [TORCH_PYTHON, "-c", code] }], 1000));
  const exited = await agent.event("rank-exited");
  assert.equal(exited.code, 0, lab.file("rank0.err"));
  assert.equal(lab.file("rank0.out"), "b\n");
});

test("garbage on the socket costs the sender its connection and nothing else", async (t) => {
  const lab = makeLab(t);
  const shim = await lab.startShim();
  const agent = await lab.connect();
  for (const junk of [
    "\n",
    "{}\n",
    "[1]\n",
    '{"hello":"agent","from":"x"}\n',
    '{"do":"stop","graceMs":0,"why":"not an agent"}\n',
    "\xff\xfe\n",
    '{"hello":"rank"}\n',
  ]) {
    const peer = createConnection(lab.arm.socket);
    peer.on("error", () => {});
    peer.write(junk);
    await once(peer, "close");
  }
  assert.ok(isAlive(shim));
  assert.equal(statSync(lab.arm.socket).mode & 0o777, 0o600);
  agent.send(launch([pythonRank(0, "print('fine')")], 1000));
  await agent.event("ended");
  assert.equal(lab.file("rank0.out"), "fine\n");
});

test("over its quota a log gives back its oldest bytes behind a gap on record; offsets stay", async (t) => {
  const quota = 256 * 1024;
  const lab = makeLab(t, { quotaBytes: quota });
  await lab.startShim();
  const agent = await lab.connect();
  const code = `
import sys, time
sys.stdout.write("x" * 1_000_000 + "\\n"); sys.stdout.flush()
time.sleep(30)
`;
  agent.send(launch([pythonRank(0, code)], 1000));
  const gap = await agent.event("gap");
  assert.deepEqual([gap.file, gap.from, gap.why], ["rank0.out", 0, "quota"]);
  assert.ok(gap.to % 4096 === 0 && 1_000_001 - gap.to <= quota / 2 + 4096 && 1_000_001 - gap.to >= quota / 2);
  const path = join(lab.arm.dir, "rank0.out");
  await until("the bytes are given back", () => statSync(path).blocks * 512 <= quota);
  const text = readFileSync(path);
  assert.equal(text.length, 1_000_001);
  assert.ok(text.subarray(0, gap.to).every((byte) => byte === 0) && text.subarray(gap.to, -1).every((byte) => byte === 0x78));
  agent.send({ do: "stop", graceMs: 0, why: "seen" });
  await agent.event("ended");
});

test("an armed shim stays within 20 MB", async (t) => {
  const lab = makeLab(t, { ports: [0, 0] });
  const shim = await lab.startShim();
  const agent = await lab.connect();
  agent.send(launch([pythonRank(0, "import time; time.sleep(60)")], 1000));
  await agent.event("launched");
  const kib = Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${shim.pid}/status`, "utf8"))?.[1]);
  t.diagnostic(`shim VmRSS ${kib} KiB`);
  assert.ok(kib <= 20_000, `${kib} KiB`);
  agent.send({ do: "stop", graceMs: 0, why: "seen" });
  await agent.event("ended");
});
