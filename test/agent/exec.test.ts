/** Ad-hoc commands over a link: bytes as they are, exit as it is, and nothing left when the link goes. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { startTicks } from "../../agent/process-start.ts";
import { connect, startAgent } from "../support/agent.ts";

test("argv exactly, binary output, nothing to read, exit codes, signals, a command that is not there", async (t) => {
  const agent = await startAgent(t);
  const client = await connect(t, agent);
  const outputOf = (id: number, fd: 1 | 2): Buffer =>
    Buffer.concat(client.frames.flatMap(({ header, data }) => (header.t === "exec" && header.id === id && header.fd === fd ? [data] : [])));
  const hostile = ["a b", "$(id)", "'\"", "*", "", "\n", "--", "é"];
  const code = await client.command({ do: "exec", argv: ["printf", "%s\\0", ...hostile], cwd: null, env: {} });
  assert.deepEqual(code, { code: 0, signal: null });
  assert.equal(outputOf(1, 1).toString(), hostile.map((arg) => `${arg}\0`).join(""));
  assert.deepEqual(await client.command({ do: "exec", argv: ["sh", "-c", "echo $X >&2; exit 7"], cwd: "/", env: { X: "y" } }), { code: 7, signal: null });
  assert.equal(outputOf(2, 2).toString(), "y\n");
  await assert.rejects(client.command({ do: "exec", argv: ["/no/such"], cwd: null, env: {} }), {
    code: "EXEC_FAILED",
    message: "/no/such cannot be started: no such command",
  });
  const cat = await client.command({ do: "exec", argv: ["sh", "-c", "cat; printf '\\377\\000\\n'"], cwd: null, env: {} }); // id 4
  assert.deepEqual(cat, { code: 0, signal: null }, "a reader of stdin does not wait");
  assert.deepEqual(outputOf(4, 1), Buffer.from([255, 0, 10]));
  const sleeping = client.command({ do: "exec", argv: ["sleep", "60"], cwd: null, env: {} }); // id 5
  await client.command({ do: "exec-kill", target: 5 });
  assert.deepEqual(await sleeping, { code: null, signal: "SIGTERM" });
});

test("the link goes: the command and its children go", async (t) => {
  const agent = await startAgent(t);
  const client = await connect(t, agent);
  const pids = join(agent.home, "pids");
  void client
    .command({
      do: "exec",
      argv: ["sh", "-c", `trap '' TERM; sleep 60 & echo $$ $! > ${pids}.new; mv ${pids}.new ${pids}; wait; sleep 60`],
      cwd: null,
      env: {},
    })
    .catch(() => undefined);
  const watcher = await connect(t, agent);
  for (;;) {
    if (existsSync(pids)) break;
    await watcher.command({ do: "status" });
  }
  const [shell = 0, child = 0] = readFileSync(pids, "utf8").split(/\s/).map(Number);
  await client.close();
  const deadline = Date.now() + 15_000;
  while (startTicks(shell) !== null || startTicks(child) !== null) {
    assert.ok(Date.now() < deadline, "still there");
    await watcher.command({ do: "status" });
  }
});

test("a command waits in its writes beyond its window and goes on when that was taken", async (t) => {
  const agent = await startAgent(t);
  const client = await connect(t, agent);
  const sizeOf = (id: number): number => client.frames.reduce((sum, { header, data }) => sum + (header.t === "exec" && header.id === id ? data.length : 0), 0);
  const ask = (bytes: number): Promise<unknown> =>
    client.command({ do: "exec", argv: ["head", "-c", String(bytes), "/dev/zero"], cwd: null, env: {}, window: 100_000 });
  let isOver = false;
  const done = ask(3_000_000).finally(() => {
    isOver = true;
  }); // id 1
  let taken = 0;
  while (!isOver) {
    await client.command({ do: "status" });
    const size = sizeOf(1);
    assert.ok(size - taken < 100_000 + 2 * 65_536 + 1, `${size - taken} bytes ahead`);
    if (size > taken) client.socket.send(JSON.stringify({ type: "ack", run: "", exec: { id: 1, bytes: size - taken } }));
    taken = size;
  }
  assert.deepEqual(await done, { code: 0, signal: null });
  assert.equal(sizeOf(1), 3_000_000);
});

test("a flood that nobody reads does not grow the agent", async (t) => {
  const agent = await startAgent(t);
  const client = await connect(t, agent);
  client.socket.pause();
  void client.command({ do: "exec", argv: ["head", "-c", "300000000", "/dev/zero"], cwd: null, env: {} }).catch(() => undefined);
  const watcher = await connect(t, agent);
  let most = 0;
  for (let i = 0; i < 300; i++) most = Math.max(most, ((await watcher.command({ do: "status" })) as { rssBytes: number }).rssBytes);
  assert.ok(most < 200e6, `${most} bytes`);
});
