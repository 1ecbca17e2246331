/** The agent's door: who gets in, what a hostile peer can do, and that the agent outlives all of it. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { WebSocket } from "ws";
import { packFrame } from "../../cluster/frame.ts";
import { CLOSE, MAX_FRAME, PROTOCOL } from "../../cluster/protocol.ts";
import { connect, record, startAgent, type TestAgent } from "../support/agent.ts";

const rssKib = (pid: number): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);

/** Says things to the socket and gives the code it was closed with. */
function say(agent: TestAgent, messages: readonly (string | Uint8Array)[]): Promise<{ code: number; reason: string; heard: string[] }> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws+unix://${agent.socket}:/`, { perMessageDeflate: false });
    const heard: string[] = [];
    socket.on("open", () => {
      for (const message of messages) socket.send(message);
    });
    socket.on("message", (data) => heard.push(String(data)));
    socket.on("error", () => undefined);
    socket.on("close", (code, reason) => resolve({ code, reason: reason.toString(), heard }));
  });
}

const hello = (token: string, protocol = PROTOCOL): string => JSON.stringify({ type: "hello", protocol, token, controller: "c1" });

test("socket and token are for this user only; the token is in no argv and no environment", async (t) => {
  const agent = await startAgent(t);
  assert.equal(statSync(agent.socket).mode & 0o777, 0o600);
  assert.equal(statSync(join(agent.runtimeDir, "token")).mode & 0o777, 0o600);
  assert.equal(statSync(agent.runtimeDir).mode & 0o777, 0o700);
  for (const file of ["cmdline", "environ"]) assert.ok(!readFileSync(`/proc/${agent.pid}/${file}`, "utf8").includes(agent.token), file);
  assert.ok(!readFileSync(join(agent.stateDir, "agent.log"), "utf8").includes(agent.token));
});

test("a wrong token, another protocol, no hello, garbage: a code and a reason each", async (t) => {
  const agent = await startAgent(t);
  assert.equal((await say(agent, [hello("0".repeat(64))])).code, CLOSE.token);
  const other = await say(agent, [JSON.stringify({ type: "hello", protocol: 99, shape: "unknown" })]);
  assert.equal(other.code, CLOSE.protocol);
  assert.match(other.reason, /speaks protocol 1, the controller 99/);
  assert.equal((await say(agent, ['{"type":"command","id":1,"command":{"do":"status"}}'])).code, CLOSE.malformed);
  assert.equal((await say(agent, [randomBytes(64)])).code, CLOSE.malformed);
  assert.equal((await say(agent, [hello(agent.token), "{"])).code, CLOSE.malformed);
  assert.equal((await say(agent, [hello(agent.token), `${"[".repeat(10_000)}`])).code, CLOSE.malformed);
  assert.equal(
    (await say(agent, [hello(agent.token), packFrame({ t: "log", run: "r", stream: "a1/rank0.out", offset: 0 }, new Uint8Array(1))])).code,
    CLOSE.malformed,
  );
  assert.equal((await say(agent, [hello(agent.token), Buffer.alloc(MAX_FRAME + 1)])).code, 1009);
  // A command sent behind a wrong hello is never looked at.
  const mark = join(agent.home, "executed");
  await say(agent, [hello("x"), JSON.stringify({ type: "command", id: 1, command: { do: "exec", argv: ["touch", mark], cwd: null, env: {} } })]);
  const good = await connect(t, agent);
  assert.equal(((await good.command({ do: "status" })) as { pid: number }).pid, agent.pid);
  assert.ok(!existsSync(mark));
});

test("a silent peer and one that sends a byte a time are dropped; idle sockets beyond the limit do not lock others out for long", async (t) => {
  const agent = await startAgent(t);
  const raw = (): { socket: Socket; closed: Promise<void> } => {
    const socket = createConnection(agent.socket);
    t.after(() => socket.destroy());
    socket.on("error", () => undefined);
    return { socket, closed: new Promise((resolve) => socket.once("close", () => resolve())) };
  };
  const slow = raw();
  const drip = setInterval(() => slow.socket.writable && slow.socket.write("G"), 200);
  t.after(() => clearInterval(drip));
  const idle = Array.from({ length: 30 }, raw);
  await Promise.all([slow.closed, ...idle.map(({ closed }) => closed)]);
  const good = await connect(t, agent);
  assert.ok(good.welcome.pid > 0);
});

test("two hundred links full of random frames: closed again and again, nothing executed, no growth, the same agent", async (t) => {
  const agent = await startAgent(t);
  const mark = join(agent.home, "executed");
  const shapes = [
    () => randomBytes(1 + Math.floor(Math.random() * 200)),
    () => randomBytes(40).toString("latin1"),
    () => JSON.stringify({ type: "command", id: 1, command: { do: "exec", argv: `touch ${mark}` } }),
    () => JSON.stringify({ type: "command", id: "1", command: { do: "exec", argv: ["touch", mark], cwd: null, env: {} } }),
    () => `{"type":"command","id":1,"command":{"do":"exec","argv":["touch","${mark}"],"cwd":null,"env":{},"__proto__":{"x":1}}`,
    () => JSON.stringify({ type: "command", id: 2, command: { do: "launch", run: "../../x", epoch: -1 } }),
    () => `${JSON.stringify({ type: "ack", run: "__proto__", cursors: { constructor: 1 } })}x`,
  ];
  // Frames after a close are dropped with their socket, so each round of 50 is one link; half of them never said hello.
  for (let round = 0; round < 200; round++) {
    const frames = Array.from({ length: 50 }, () => shapes[Math.floor(Math.random() * shapes.length)]?.() ?? "");
    const { code } = await say(agent, round % 2 === 0 ? [hello(agent.token), ...frames] : frames);
    assert.ok([CLOSE.malformed, 1002, 1006, 1007].includes(code), String(code));
  }
  assert.ok(!existsSync(mark));
  const good = await connect(t, agent);
  assert.equal(good.welcome.pid, agent.pid);
  assert.ok(rssKib(agent.pid) < 160 * 1024, `${rssKib(agent.pid)} KiB`);
});

test("names that are paths are refused by every command that takes one", async (t) => {
  const agent = await startAgent(t);
  const client = await connect(t, agent);
  for (const run of ["../x", "a/b", ".", "", "a\0b", "-rf", "x y"]) {
    await assert.rejects(client.as(run, 1, { do: "adopt", record: record(run, 1, "c1") }), { code: "USAGE" });
    await assert.rejects(client.as(run, 1, { do: "stop", attempt: 1, graceMs: 0, why: "x" }), { code: "RUN_NOT_ADOPTED" });
  }
  assert.deepEqual(readdirSync(join(agent.stateDir, "runs")), []);
  assert.ok(!existsSync(join(agent.stateDir, "x")));
});

test("a link that has fallen silent is given up, with its code", async (t) => {
  const agent = await startAgent(t);
  const { code, heard } = await say(agent, [hello(agent.token)]);
  assert.equal(code, CLOSE.silent);
  assert.ok(
    heard.some((text) => text.includes('"beat"')),
    "the agent's own pulse went on",
  );
});
