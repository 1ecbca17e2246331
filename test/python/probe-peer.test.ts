/** probe_peer.py on loopback: whom it answers, what it tells of ports, that it leaves a port that another holds, and that it ends with its stdin. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { listening, measured, reached } from "../../cluster/diag/pairs/answers.ts";
import { HOST_COMMAND, hostProgram } from "../../cluster/host-program.ts";
import { REPO } from "../support/host-helper.ts";

const PARTS = ["shim_ports", "probe_peer_serve", "probe_peer_try", "probe_peer"];
const TOKEN = "0123456789abcdef0123456789abcdef";

type Session = { readonly ask: (request: Readonly<Record<string, unknown>>) => Promise<unknown>; readonly end: () => Promise<unknown> };

async function open(t: TestContext, token = TOKEN): Promise<Session> {
  const program = hostProgram(Object.fromEntries(PARTS.map((name) => [name, readFileSync(`${REPO}/python/${name}.py`, "utf8")])), PARTS);
  const child = spawn("/bin/sh", ["-c", HOST_COMMAND], { stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next();
    assert.ok(done !== true, "it ended");
    return value === "" ? next() : value;
  };
  child.stdin.write(`${Buffer.from(program).toString("base64")}\n${JSON.stringify({ nonce: "n0nce", op: "peer", token, limitS: 60 })}\n`);
  assert.equal(await next(), 'n0nce {"ok": true, "value": {}}');
  let id = 0;
  return {
    ask: async (request) => {
      id += 1;
      child.stdin.write(`${JSON.stringify({ id, ...request })}\n`);
      const answer = JSON.parse(await next()) as { readonly id: number; readonly ok: boolean; readonly value: unknown; readonly text?: string };
      assert.deepEqual([answer.id, answer.ok], [id, true], answer.text);
      return answer.value;
    },
    end: () => {
      const closed = once(child, "close");
      child.stdin.end();
      return closed;
    },
  };
}

/** What comes back for a first line, until the other side ends it. */
async function greet(port: number, line: string): Promise<string> {
  const link = connect(port, "127.0.0.1");
  let text = "";
  link.on("data", (data) => {
    text += data.toString();
    if (text.endsWith("ok\n")) link.end();
  });
  link.on("error", () => undefined);
  link.write(line);
  await new Promise((resolve) => link.once("close", resolve)); // a reset is an end like another
  return text;
}

const ephemeral = { kind: "ephemeral", port: 0 } as const;
const portsIn = (value: unknown): ReturnType<typeof listening.parse> => listening.parse(value);

test("two peers: ports, times, sizes and bandwidth between them; nobody else is answered; all is shut when stdin ends", async (t) => {
  const [a, b] = [await open(t), await open(t)];
  const told = portsIn(await b.ask({ op: "listen", ports: [ephemeral, ephemeral], addresses: ["127.0.0.1"] }));
  assert.equal(told.address, "127.0.0.1");
  assert.deepEqual(
    told.ports.map(({ outcome }) => outcome),
    ["open", "open"],
  );
  const [port = 0, other = 0] = told.ports.map((each) => each.port);
  for (const line of ["\n", `${"f".repeat(32)} echo\n`, `${TOKEN.slice(1)} echo\n`, "SSH-2.0-x\r\n", `${"x".repeat(300)}`])
    assert.equal(await greet(port, line), "", line);
  assert.equal(await greet(port, `${TOKEN} echo\n`), "ok\n");

  const foreign = createServer((link) => link.on("error", () => undefined).end("SSH-2.0-OpenSSH\r\n"));
  t.after(() => foreign.close());
  foreign.listen(0, "127.0.0.1");
  await once(foreign, "listening");
  const stranger = (foreign.address() as AddressInfo).port;
  const shut = createServer().listen(0, "127.0.0.1");
  await once(shut, "listening");
  const refused = (shut.address() as AddressInfo).port;
  await new Promise((resolve) => shut.close(resolve));
  const target = (kind: string, number: number) => ({ to: "b", kind, port: number, address: "127.0.0.1" });
  const found = reached.parse(
    await a.ask({
      op: "reach",
      targets: [target("ephemeral", port), target("ephemeral", other), target("ephemeral", stranger), target("rdzv", refused), target("ssh", stranger)],
    }),
  );
  assert.deepEqual(
    found.ports.map(({ outcome, isAnswered }) => `${outcome}${isAnswered === true ? " answered" : ""}`),
    ["open", "open", "other answered", "refused", "open"],
  );

  const peer = { to: "b", address: "127.0.0.1", port, udp: told.udp };
  const [way] = measured.parse(await a.ask({ op: "measure", peers: [peer], limitS: 20 })).peers;
  assert.equal(way?.why, undefined);
  assert.deepEqual([way?.latencyMs?.lost, way?.bigWrites, way?.route?.source, way?.tailscalePing], [0, "through", "127.0.0.1", null]);
  assert.ok((way?.mtu?.path ?? 0) >= 1500);
  const [speed] = measured.parse(await a.ask({ op: "measure", peers: [peer], limitS: 20, bandwidthS: 0.2 })).peers;
  assert.ok((speed?.bandwidth ?? 0) > 1e6);
  const [late] = measured.parse(await a.ask({ op: "measure", peers: [peer], limitS: -1 })).peers;
  assert.match(late?.why ?? "", /no time left/);

  await b.end();
  const gone = reached.parse(await a.ask({ op: "reach", targets: [target("ephemeral", port), target("rdzv", other)] }));
  assert.deepEqual(
    gone.ports.map(({ outcome }) => outcome),
    ["refused", "refused"],
  );
  await a.end();
});

test("a peer with another token finds nobody", async (t) => {
  const [a, b] = [await open(t, "f".repeat(32)), await open(t)];
  const { ports } = portsIn(await b.ask({ op: "listen", ports: [ephemeral], addresses: ["127.0.0.1"] }));
  const found = reached.parse(await a.ask({ op: "reach", targets: [{ to: "b", kind: "ephemeral", port: ports[0]?.port, address: "127.0.0.1" }] }));
  assert.equal(found.ports[0]?.outcome, "other");
});

test("the rendezvous' port: free, of another program, and bound by one that does not listen yet, from whom it is not taken", async (t) => {
  const session = await open(t);
  const holder = createServer().listen(0, "0.0.0.0");
  await once(holder, "listening");
  const { port } = holder.address() as AddressInfo;
  const listen = async (): Promise<string> => {
    const { ports } = portsIn(await session.ask({ op: "listen", ports: [{ kind: "rdzv", port }], addresses: ["127.0.0.1"] }));
    return `${ports[0]?.outcome} ${ports[0]?.detail ?? ""}`;
  };
  assert.match(await listen(), new RegExp(`^busy node\\S* \\(pid ${process.pid}, user \\S+\\)$|^busy MainThread \\(pid ${process.pid}, user \\S+\\)$`));
  await new Promise((resolve) => holder.close(resolve));
  const code = `import socket,sys\ns=socket.socket()\ns.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1)\ns.bind(("",${port}))\nprint("bound",flush=True)\nsys.stdin.read()\ns.listen()\nprint("listens",flush=True)\n`;
  const shim = spawn("python3", ["-c", code], { stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => shim.kill("SIGKILL"));
  await once(shim.stdout, "data");
  assert.match(await listen(), /^busy a process that holds it without listening$/);
  const [after] = await Promise.all([once(shim.stdout, "data"), shim.stdin.end()]);
  assert.match(String(after[0]), /listens/, "it can listen still");
  await once(shim, "close");
  assert.equal(await listen(), "open ");
});
