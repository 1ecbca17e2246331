/** A run on one real agent with a real shim and plain processes as ranks. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { startTicks } from "../../agent/process-start.ts";
import type { AgentEvent } from "../../cluster/protocol.ts";
import { CLOSE } from "../../cluster/protocol.ts";
import { type Client, connect, record, startAgent, streamOf, type TestAgent } from "../support/agent.ts";

const session = (agent: TestAgent) => ({ PATH: process.env.PATH ?? "", HOME: agent.home });
const isType = (type: AgentEvent["event"]["type"]) => (event: AgentEvent) => event.event.type === type;

async function prepared(client: Client, agent: TestAgent, run: string, more: Record<string, unknown> = {}): Promise<void> {
  await client.as(run, 1, { do: "adopt", record: record(run, 1, "c1", 9) });
  await client.as(run, 1, { do: "subscribe", eventsFrom: 0, cursors: {} });
  const none = { python: null, setup: null, secrets: {}, scratch: null, ranks: [0], inPlace: null, hashScript: null };
  await client.as(run, 1, { do: "prepare", ...none, sessionEnv: session(agent), ...more });
}

const armOf = (run: string, attempt = 1) => ({
  do: "arm" as const,
  record: record(run, 1, "c1", 2),
  attempt,
  host: "a",
  ports: [0],
  portRange: [20000, 29999] as [number, number],
  mark: `t/${run}/${attempt}/a`,
  quotaBytes: 1 << 30,
});

const launchOf = (agent: TestAgent, run: string, scripts: readonly string[], attempt = 1) => ({
  do: "launch" as const,
  record: record(run, 1, "c1", 3),
  attempt,
  unset: ["DROP_*"],
  ranks: scripts.length,
  stopGraceMs: 1000,
  spawns: scripts.map((script, rank) => ({
    role: "rank" as const,
    rank,
    localRank: rank,
    argv: ["/bin/sh", "-c", script],
    env: { OWN: `rank ${rank}` },
    cwd: agent.home,
  })),
});

test("arm, launch, logs, end: environment in its order, events without a hole, each command twice as once", async (t) => {
  const agent = await startAgent(t);
  const client = await connect(t, agent);
  await prepared(client, agent, "r1", { secrets: { TOKEN: "canary-s3cret", OWN: "secret" }, sessionEnv: { ...session(agent), DROP_ME: "1", KEEP: "kept" } });
  const armed = (await client.as("r1", 1, armOf("r1"))) as { pid: number; ports: number[]; dir: string };
  assert.deepEqual(await client.as("r1", 1, armOf("r1")), armed);
  assert.equal(armed.ports.length, 1);
  const order = launchOf(agent, "r1", ['echo "$KEEP $TOKEN $OWN [$DROP_ME]"', "printf 'no newline' >&2; exit 3"]);
  await Promise.all([client.as("r1", 1, order), client.as("r1", 1, order)]);
  const drained = await client.until(isType("drained"), "drained");
  await client.as("r1", 1, order);
  assert.equal(client.events.filter(isType("launched")).length, 1, "never launched twice");
  assert.deepEqual(
    client.events.map(({ index }) => index),
    client.events.map((_, index) => index),
  );
  await client.whenFrame(() => streamOf(client, "a1/rank1.err").length > 0 && streamOf(client, "a1/rank0.out").length > 0, "both streams");
  assert.equal(streamOf(client, "a1/rank0.out").toString(), "kept canary-s3cret rank 0 []\n");
  assert.equal(streamOf(client, "a1/rank1.err").toString(), "no newline");
  const { sizes } = drained.event as Extract<AgentEvent["event"], { type: "drained" }>;
  assert.equal(sizes["a1/rank1.err"], 10);
  for (const file of ["record.json", "events.jsonl", "a1/arm.json", "a1/events.jsonl"]) {
    assert.ok(!readFileSync(join(agent.stateDir, "runs/r1", file), "utf8").includes("canary"), file);
  }
  await client.as("r1", 1, { do: "forget" });
  assert.ok(!readdirSync(`/dev/shm/nexadist-${process.getuid?.()}/${agent.key}`).includes("r1"));
  assert.ok(readdirSync(join(agent.stateDir, "runs/r1/a1")).includes("rank0.out"), "logs stay");
  const again = await connect(t, agent);
  const adopted = await again.as("r1", 1, { do: "adopt", record: record("r1", 1, "c1") });
  assert.deepEqual(
    adopted,
    { events: 0, rebuilt: { count: 0, why: "" }, attempts: [], sessionNames: [] },
    "a run of the same name that comes later hears nothing of the one that has ended",
  );
  assert.ok(readdirSync(join(agent.stateDir, "runs/r1.1/a1")).includes("rank0.out"), "logs stay, set aside");
});

test("a launch that cannot be made says why; an attempt that was stopped is never launched", async (t) => {
  const agent = await startAgent(t);
  const client = await connect(t, agent);
  await client.as("r1", 1, { do: "adopt", record: record("r1", 1, "c1") });
  await client.as("r1", 1, armOf("r1"));
  await assert.rejects(client.as("r1", 1, launchOf(agent, "r1", ["true"])), { code: "NOT_PREPARED" });
  await prepared(client, agent, "r1");
  const bad = launchOf(agent, "r1", ["true"]);
  await assert.rejects(client.as("r1", 1, { ...bad, spawns: bad.spawns.map((spawn) => ({ ...spawn, argv: ["/no/such/program"] })) }), {
    code: "LAUNCH_FAILED",
  });
  await client.as("r1", 1, armOf("r1", 2));
  await client.as("r1", 1, { do: "stop", attempt: 2, graceMs: 0, why: "test" });
  await assert.rejects(client.as("r1", 1, launchOf(agent, "r1", ["sleep 60"], 2)), { code: "ATTEMPT_STOPPED" });
  await client.until((event) => event.attempt === 2 && event.event.type === "ended", "ended");
  await assert.rejects(client.as("r1", 1, launchOf(agent, "r1", ["true"], 7)), { code: "ATTEMPT_UNKNOWN" });
});

test("fencing: a takeover is told to the old controller, whose commands change nothing", async (t) => {
  const agent = await startAgent(t);
  const old = await connect(t, agent, "c1");
  await prepared(old, agent, "r1");
  await old.as("r1", 1, armOf("r1"));
  await old.as("r1", 1, launchOf(agent, "r1", ["trap 'exit 7' TERM; while :; do sleep 0.05; done"]));
  const taker = await connect(t, agent, "c2");
  await assert.rejects(taker.as("r1", 1, { do: "adopt", record: record("r1", 1, "c2") }), { code: "FENCED" });
  const say = (order: Record<string, unknown>) => taker.command({ run: "r1", epoch: 2, controller: "c2", ...order } as never);
  await assert.rejects(say({ do: "stop", attempt: 1, graceMs: 0, why: "no record" }), { code: "RUN_NOT_ADOPTED" });
  const adopted = (await say({ do: "adopt", record: record("r1", 2, "c2") })) as { events: number; attempts: unknown[] };
  assert.equal(adopted.attempts.length, 1);
  assert.equal((await old.closed).code, CLOSE.fenced);
  const again = await connect(t, agent, "c1");
  for (const order of [{ do: "stop", attempt: 1, graceMs: 0, why: "stale" }, { do: "adopt", record: record("r1", 1, "c1", 99) }, { do: "forget" }] as const) {
    await assert.rejects(again.as("r1", 1, order), { code: "FENCED" });
  }
  await say({ do: "subscribe", eventsFrom: 0, cursors: {} });
  assert.equal(taker.events.some(isType("stopping")), false);
  assert.equal(JSON.parse(readFileSync(join(agent.stateDir, "runs/r1/record.json"), "utf8")).controller, "c2");
  await say({ do: "stop", attempt: 1, graceMs: 2000, why: "done" });
  const ended = await taker.until(isType("ended"), "ended");
  assert.equal((ended.event as { receipt: { left: number } }).receipt.left, 0);
});

test("kill -9 of the agent, twice: the same processes, no log byte lost or doubled, no event lost or doubled", async (t) => {
  const agent = await startAgent(t);
  const client = await connect(t, agent);
  await prepared(client, agent, "r1");
  await client.as("r1", 1, armOf("r1"));
  const lines = 40_000;
  const writer = `i=0; while [ $i -lt ${lines} ]; do i=$((i+1)); echo "line $i of the trainer"; done; read x < ${join(agent.home, "go")}`;
  execFileSync("mkfifo", [join(agent.home, "go")]);
  await client.as("r1", 1, launchOf(agent, "r1", [writer]));
  const launched = await client.until(isType("launched"), "launched");
  const rank = (launched.event as Extract<AgentEvent["event"], { type: "launched" }>).pids[0] ?? { pid: 0, start: 0 };
  const expected = Array.from({ length: lines }, (_, i) => `line ${i + 1} of the trainer\n`).join("");

  let at = 0;
  let seen = "";
  let current = client;
  let pid = agent.pid;
  const events: AgentEvent[] = [];
  const take = (): void => {
    const part = streamOf(current, "a1/rank0.out", at);
    seen += part.toString();
    at += part.length;
    events.push(...current.events);
  };
  for (const share of [0.2, 0.6]) {
    await current.whenFrame(() => at + streamOf(current, "a1/rank0.out", at).length > expected.length * share, `${share} of the log`);
    process.kill(pid, "SIGKILL");
    await current.closed;
    take();
    const started = await agent.start();
    assert.equal(started.running, "started");
    assert.notEqual(started.pid, pid);
    pid = started.pid;
    current = await connect(t, { socket: started.socket, token: started.token });
    assert.equal(startTicks(rank.pid), rank.start, "the same trainer");
    assert.deepEqual(
      current.welcome.runs.map(({ live }) => live),
      [true],
    );
    await current.as("r1", 1, { do: "subscribe", eventsFrom: events.length, cursors: { "a1/rank0.out": at } });
  }
  await current.whenFrame(() => at + streamOf(current, "a1/rank0.out", at).length >= expected.length, "all of the log");
  execFileSync("sh", ["-c", `echo > ${join(agent.home, "go")}`]);
  await current.until(isType("drained"), "drained");
  take();
  assert.equal(seen, expected);
  assert.deepEqual(
    events.map(({ index }) => index),
    events.map((_, index) => index),
  );
  assert.equal(events.filter(isType("rank-started")).length, 1);
  assert.equal(events.filter(isType("ended")).length, 1);
});

test("an upgrade while ranks run: another bundle answers, the trainer does not notice; a second start starts nothing", async (t) => {
  const agent = await startAgent(t);
  const client = await connect(t, agent);
  await prepared(client, agent, "r1");
  await client.as("r1", 1, armOf("r1"));
  await client.as("r1", 1, launchOf(agent, "r1", ["sleep 60"]));
  const launched = await client.until(isType("launched"), "launched");
  const rank = (launched.event as Extract<AgentEvent["event"], { type: "launched" }>).pids[0] ?? { pid: 0, start: 0 };
  const bundle = await agent.putBundle("newer");
  const asIs = await agent.start({ bundle });
  assert.deepEqual([asIs.pid, asIs.bundle, asIs.running], [agent.pid, agent.bundle, "running"]);
  const upgraded = await agent.start({ bundle, upgrade: true });
  assert.equal((await client.closed).code, CLOSE.bye);
  assert.equal(upgraded.bundle, bundle);
  assert.notEqual(upgraded.pid, agent.pid);
  assert.equal(startTicks(agent.pid), null);
  assert.equal(startTicks(rank.pid), rank.start);
  const starts = await Promise.all([agent.start({ bundle }), agent.start({ bundle })]);
  assert.deepEqual(
    starts.map(({ pid }) => pid),
    [upgraded.pid, upgraded.pid],
  );
  const next = await connect(t, upgraded);
  await next.as("r1", 1, { do: "subscribe", eventsFrom: 0, cursors: {} });
  await next.as("r1", 1, { do: "stop", attempt: 1, graceMs: 1000, why: "test" });
  await next.until(isType("drained"), "drained");
  assert.equal(startTicks(rank.pid), null);
});

test("kill -9 of the shim: the agent sweeps in its place, with a receipt; also when both died", async (t) => {
  const agent = await startAgent(t);
  const client = await connect(t, agent);
  await prepared(client, agent, "r1");
  const armed = (await client.as("r1", 1, armOf("r1"))) as { pid: number };
  await client.as("r1", 1, launchOf(agent, "r1", ["trap '' TERM; sleep 60 & wait; sleep 60"]));
  const started = await client.until(isType("rank-started"), "rank-started");
  const rank = started.event as Extract<AgentEvent["event"], { type: "rank-started" }>;
  process.kill(armed.pid, "SIGKILL");
  const lost = await client.until(isType("shim-lost"), "shim-lost");
  assert.equal((lost.event as { receipt: { left: number | null } }).receipt.left, 0);
  assert.equal(startTicks(rank.pid), null);
  await client.until(isType("drained"), "drained");

  const second = (await client.as("r1", 1, armOf("r1", 2))) as { pid: number };
  await client.as("r1", 1, launchOf(agent, "r1", ["sleep 60"], 2));
  const again = (await client.until((event) => event.attempt === 2 && event.event.type === "rank-started", "rank-started")).event as { pid: number };
  process.kill(agent.pid, "SIGKILL");
  process.kill(second.pid, "SIGKILL");
  const restarted = await agent.start();
  const next = await connect(t, restarted);
  await next.as("r1", 1, { do: "subscribe", eventsFrom: 0, cursors: {} });
  await next.until((event) => event.attempt === 2 && event.event.type === "shim-lost", "shim-lost of 2");
  assert.equal(startTicks(again.pid), null);
});
