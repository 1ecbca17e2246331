/** The files of an agent and of its shims as a crash, a power cut or a bad disk leaves them: what runs goes on, nothing is started twice, no fence falls. */

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { startTicks } from "../../agent/process-start.ts";
import { connect, record, type Started, startAgent, type TestAgent } from "../support/agent.ts";
import { isAlive, until } from "../support/mortal.ts";
import { armOf, endedOf, launchOf, prepare, type Shape, typesOf } from "./crash-run.ts";

const flip = (path: string, at: (size: number) => number): void => {
  const bytes = readFileSync(path);
  const k = at(bytes.length);
  bytes[k] = (bytes[k] ?? 0) ^ 2;
  writeFileSync(path, bytes);
};
const edit = (path: string, change: (whole: Buffer) => Buffer): void => writeFileSync(path, change(readFileSync(path)));
const asDirectory = (path: string): void => {
  rmSync(path);
  mkdirSync(path);
};
const lineEnd = (whole: Buffer, n: number): number => (n === 0 ? 0 : whole.indexOf(10, lineEnd(whole, n - 1)) + 1);

async function killAgent({ pid }: Pick<Started, "pid">): Promise<void> {
  process.kill(pid, "SIGKILL");
  await until("the agent's end", () => !isAlive(pid));
}

/** One rank that lives for as long as `go` is there. */
async function longRun(t: TestContext, agent: TestAgent, run: string): Promise<{ shim: number; rank: string }> {
  writeFileSync(join(agent.home, "go"), "");
  const client = await connect(t, agent);
  await prepare(client, agent, run, 2);
  const { pid } = (await client.as(run, 2, armOf(run, 2))) as { pid: number };
  await client.as(run, 2, launchOf(agent, run, 2, "echo $$ >> $HOME/launched; while [ -e $HOME/go ]; do sleep 0.05; done; exit 3"));
  await client.until(({ event }) => event.type === "rank-started", "the rank");
  await until("its mark", () => launches(agent).length === 1);
  await client.close();
  return { shim: pid, rank: launches(agent)[0] ?? "" };
}
const launches = (agent: TestAgent): string[] => {
  try {
    return readFileSync(join(agent.home, "launched"), "utf8").split("\n").filter(Boolean);
  } catch {
    return [];
  }
};

const events = "runs/r1/events.jsonl";
/** `lost`: controllers are told that they must read all again. */
const damages: readonly { readonly name: string; readonly lost: boolean; readonly make: (path: (name: string) => string) => void }[] = [
  { name: "events.jsonl empty", lost: false, make: (path) => writeFileSync(path(events), "") },
  { name: "events.jsonl missing", lost: false, make: (path) => rmSync(path(events)) },
  { name: "events.jsonl a directory", lost: false, make: (path) => asDirectory(path(events)) },
  { name: "events.jsonl torn", lost: true, make: (path) => edit(path(events), (w) => w.subarray(0, w.length - 7)) },
  { name: "events.jsonl with a bit turned in line 2", lost: true, make: (path) => flip(path(events), (size) => Math.floor(size / 2)) },
  { name: "events.jsonl with zeros at its end", lost: true, make: (path) => edit(path(events), (w) => Buffer.from(w).fill(0, lineEnd(w, 1))) },
  {
    name: "events.jsonl with its last line twice",
    lost: true,
    make: (path) => edit(path(events), (w) => Buffer.concat([w, w.subarray(w.lastIndexOf(10, w.length - 2) + 1)])),
  },
  { name: "record.json missing", lost: false, make: (path) => rmSync(path("runs/r1/record.json")) },
  { name: "record.json empty", lost: false, make: (path) => writeFileSync(path("runs/r1/record.json"), "") },
  {
    name: "record.json with another epoch",
    lost: false,
    make: (path) => edit(path("runs/r1/record.json"), (w) => Buffer.from(w.toString().replace('"epoch":2', '"epoch":0'))),
  },
  { name: "fence.json with a bit turned", lost: false, make: (path) => flip(path("runs/r1/fence.json"), (size) => size - 30) },
  { name: "arm.json missing", lost: false, make: (path) => rmSync(path("runs/r1/a1/arm.json")) },
  { name: "arm.json with a bit turned", lost: false, make: (path) => flip(path("runs/r1/a1/arm.json"), (size) => Math.floor(size / 2)) },
];

test("whatever its disk did to a live run's files: the same rank, all of its events, its controller and no other, and its end", async (t) => {
  const agent = await startAgent(t);
  const { rank, shim } = await longRun(t, agent, "r1");
  const path = (name: string): string => join(agent.stateDir, name);
  const ticks = startTicks(Number(rank));
  let at: Started = agent;
  let lost = 0;
  for (const { name, make, lost: isLost } of damages) {
    await killAgent(at);
    make(path);
    at = await agent.start();
    const old = await connect(t, at, "c0");
    await assert.rejects(
      old.as("r1", 1, { do: "adopt", record: record("r1", 1, "c0", 99) } as never),
      { code: "FENCED" },
      `${name}: the old controller stays fenced`,
    );
    await old.close();
    const client = await connect(t, at);
    const adopted = (await client.as("r1", 2, { do: "adopt", record: record("r1", 2, "c1", 20) })) as { rebuilt: { count: number; why: string } };
    lost += isLost ? 1 : 0;
    assert.equal(adopted.rebuilt.count, lost, name);
    if (isLost) assert.match(adopted.rebuilt.why, /^line \d+ of .*events\.jsonl cannot be read \(kept in .*events\.jsonl\.bad-\d+\)$/, name);
    await client.as("r1", 2, { do: "subscribe", eventsFrom: 0, cursors: {} });
    await client.until(({ event }) => event.type === "rank-started", `${name}: the rank`);
    assert.deepEqual(typesOf(client.events), ["armed", "launched", "rank-started"], name);
    assert.equal(((await client.as("r1", 2, armOf("r1", 2))) as { pid: number }).pid, shim, `${name}: the shim that it was`);
    await client.as("r1", 2, launchOf(agent, "r1", 2, "echo again >> $HOME/launched"));
    assert.deepEqual(launches(agent), [rank], `${name}: launched once`);
    assert.equal(startTicks(Number(rank)), ticks, `${name}: the same process`);
    assert.deepEqual(readdirSync(path("runs")), ["r1"], `${name}: no other run`);
    await client.close();
  }
  const client = await connect(t, at);
  await client.as("r1", 2, { do: "subscribe", eventsFrom: 0, cursors: {} });
  const stopped = (await client.as("r1", 2, { do: "stop", attempt: 1, graceMs: 0, why: "enough" })) as { absent: boolean };
  assert.equal(stopped.absent, false);
  assert.equal((await endedOf(client)).left, 0);
  assert.ok(!isAlive(Number(rank)));
});

/** The shim is dead and took no last word along: what its files say is all there is. */
const shimDamages: readonly {
  readonly name: string;
  readonly lost: RegExp | null;
  readonly pids: boolean;
  readonly make: (path: (name: string) => string) => void;
}[] = [
  { name: "nothing", lost: null, pids: true, make: () => undefined },
  {
    name: "events.jsonl of the shim with a bit turned",
    lost: /^line [23] of .*a1\/events\.jsonl cannot be read/,
    pids: true,
    make: (path) => flip(path("a1/events.jsonl"), (size) => size - 120),
  },
  { name: "pids.jsonl with a bit turned", lost: null, pids: false, make: (path) => flip(path("a1/pids.jsonl"), (size) => size - 20) },
  { name: "arm.json missing", lost: null, pids: true, make: (path) => rmSync(path("a1/arm.json")) },
  { name: "all of the agent's events lost", lost: null, pids: true, make: (path) => writeFileSync(path("events.jsonl"), "") },
];

test("agent and shim are killed, and their files damaged: the rank is ended and proven to be, and what nobody knows is not claimed", async (t) => {
  const agent = await startAgent(t);
  let at: Started = agent;
  for (const [k, { name, lost, pids, make }] of shimDamages.entries()) {
    const run = `s${k}`;
    rmSync(join(agent.home, "launched"), { force: true });
    const { shim, rank } = await longRun(t, { ...agent, ...at }, run);
    await killAgent(at);
    process.kill(shim, "SIGKILL");
    await until("the shim's end", () => !isAlive(shim));
    make((file) => join(agent.stateDir, "runs", run, file));
    at = await agent.start();
    const client = await connect(t, at);
    await client.as(run, 2, { do: "adopt", record: record(run, 2, "c1", 20) });
    await client.as(run, 2, { do: "subscribe", eventsFrom: 0, cursors: {} });
    const receipt = await endedOf(client);
    assert.equal(receipt.left, 0, name);
    assert.equal(receipt.proof.includes("pids"), pids, name);
    assert.ok(!isAlive(Number(rank)), `${name}: the rank is gone`);
    assert.deepEqual(launches(agent), [rank], name);
    const { rebuilt } = (await client.as(run, 2, { do: "adopt", record: record(run, 2, "c1", 21) })) as { rebuilt: { why: string } };
    if (lost === null) assert.equal(rebuilt.why, "", name);
    else assert.match(rebuilt.why, lost, name);
    await client.close();
  }
});

/** Loaded into the agent before its program: dead at the n-th call that changes a file below its runs. */
const mortal = (file: string): string => `import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
let left = Number(fs.readFileSync(${JSON.stringify(file)}, "utf8"));
const isOurs = (what) => { try { return (typeof what === "number" ? fs.readlinkSync("/proc/self/fd/" + what) : String(what)).includes("/runs/"); } catch { return false; } };
for (const name of ["writeSync", "fsyncSync", "fdatasync", "renameSync", "mkdirSync", "writeFileSync"]) {
  const real = fs[name];
  fs[name] = (what, ...rest) => {
    if (isOurs(what) && --left === 0) { process.kill(process.pid, "SIGKILL"); for (;;); }
    return real(what, ...rest);
  };
}
syncBuiltinESMExports();
`;

test("killed at the n-th write, fsync or rename of a run: asked again, it is one launch, one end, and every event once", async (t) => {
  const agent = await startAgent(t);
  await killAgent(agent);
  const count = join(agent.home, "left");
  const preload = join(agent.home, "mortal.mjs");
  const node = join(agent.home, "node");
  writeFileSync(preload, mortal(count));
  writeFileSync(node, `#!/bin/sh\nexec ${process.execPath} --import ${preload} "$@"\n`, { mode: 0o755 });
  let hasDied = true;
  let deaths = 0;
  for (let n = 1; hasDied; n += 5) {
    const run = `k${n}`;
    const shape: Shape = { run, agent };
    writeFileSync(count, String(n));
    const first = await agent.start({ node });
    hasDied = await livesThrough(t, shape, first).then(
      () => false,
      () => true,
    );
    if (!hasDied) await killAgent(first);
    else {
      await until(`the agent's death at change ${n}`, () => !isAlive(first.pid));
      deaths += 1;
    }
    const second = await agent.start();
    const client = await livesThrough(t, shape, second);
    await client.until(({ event }) => event.type === "drained", "drained");
    assert.deepEqual(
      client.events.map(({ index }) => index),
      client.events.map((_, index) => index),
      `${n}: each event once`,
    );
    assert.deepEqual(typesOf(client.events), ["armed", "launched", "rank-started", "rank-exited", "ended", "drained"], `killed at change ${n}`);
    assert.equal(readFileSync(join(agent.home, `launched.${run}`), "utf8"), "x\n", `${n}: one launch`);
    await client.as(run, 2, { do: "forget" });
    await client.close();
    await killAgent(second);
  }
  assert.ok(deaths > 5, `${deaths} deaths`);
});

/** As a controller would, from the beginning. */
async function livesThrough(t: TestContext, { run, agent }: Shape, at: Started) {
  const client = await connect(t, at);
  await prepare(client, agent, run, 2);
  await client.as(run, 2, armOf(run, 2));
  await client.as(run, 2, launchOf(agent, run, 2, `echo x >> $HOME/launched.${run}; exit 0`));
  await client.until(({ event }) => event.type === "drained", "drained");
  return client;
}
