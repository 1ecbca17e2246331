/**
 * The agent's part of the log path: a rank's write to a client of its unix socket.
 * Prints MB/s over 1 GB, the percentiles of a line's way at 1 MB/s, and the agent's memory. Run: node scripts/bench/agent-log-path.ts
 */

import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { type Client, connect, type Ends, record, startAgent, type TestAgent } from "../../test/support/agent.ts";

const BYTES = 1_000_000_000;
const SECONDS = 20;

const endings: (() => unknown)[] = [];
const bench: Ends = { after: (fn) => void endings.unshift(fn as () => unknown) };

async function launch(client: Client, agent: TestAgent, run: string, scripts: readonly string[]): Promise<void> {
  await client.as(run, 1, { do: "adopt", record: record(run, 1, "c1") });
  await client.as(run, 1, { do: "subscribe", eventsFrom: 0, cursors: {} });
  const none = { python: null, setup: null, secrets: {}, scratch: null, ranks: [0], inPlace: null, hashScript: null };
  await client.as(run, 1, { do: "prepare", ...none, sessionEnv: { PATH: process.env.PATH ?? "", HOME: agent.home } });
  const arm = { host: "a", ports: [0], portRange: [20000, 29999] as [number, number], mark: `bench/${run}/1/a`, quotaBytes: 8e9 };
  await client.as(run, 1, { do: "arm", record: record(run, 1, "c1", 2), attempt: 1, ...arm });
  const spawns = scripts.map((script, rank) => ({ role: "rank" as const, rank, localRank: rank, argv: ["sh", "-c", script], env: {}, cwd: agent.home }));
  await client.as(run, 1, { do: "launch", record: record(run, 1, "c1", 3), attempt: 1, unset: [], ranks: scripts.length, stopGraceMs: 1000, spawns });
}

const memory = (pid: number): string => (/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "0").replace(/\d{3}$/, " MB");
const cpuMs = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
};

async function throughput(agent: TestAgent, ranks: number): Promise<void> {
  const client = await connect(bench, agent);
  const started = performance.now();
  const cpu = cpuMs(agent.pid);
  let got = 0;
  let firstAt = 0;
  client.socket.on("message", (_, isBinary) => {
    if (!isBinary) return;
    const frame = client.frames.pop(); // not kept: a gigabyte
    firstAt ||= performance.now();
    got += frame?.data.length ?? 0;
  });
  const each = Math.floor(BYTES / ranks / 10) * 10;
  await launch(
    client,
    agent,
    `t${ranks}`,
    Array.from({ length: ranks }, () => `yes 'some log' | head -c ${each}`),
  );
  while (got < each * ranks) await delay(10);
  const seconds = (performance.now() - firstAt) / 1000;
  const used = (cpuMs(agent.pid) - cpu) / 1000;
  console.log(
    `${ranks} ranks, ${got / 1e6} MB: ${(got / 1e6 / seconds).toFixed(0)} MB/s (${((performance.now() - started) / 1000).toFixed(1)} s with launch), agent CPU ${used.toFixed(1)} s, RSS ${memory(agent.pid)}`,
  );
  await client.close();
}

/** 100 byte lines, 10,000 a second, each with the time of its write. */
const WRITER = `exec python3 -I -S -u -c '
import time, sys, os
end = time.time() + ${SECONDS}
due = time.time()
while due < end:
    os.write(1, b"".join(b"%.6f %s\\n" % (time.time(), b"x" * 81) for _ in range(10)))
    due += 0.001
    time.sleep(max(0, due - time.time()))
'`;

async function latency(agent: TestAgent): Promise<void> {
  const client = await connect(bench, agent);
  const ways: number[] = [];
  let rest = "";
  client.socket.on("message", (_, isBinary) => {
    if (!isBinary) return;
    const now = Date.now();
    const lines = (rest + (client.frames.pop()?.data.toString() ?? "")).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) ways.push(now - Number(line.slice(0, 17)) * 1000);
  });
  const cpu = cpuMs(agent.pid);
  await launch(client, agent, "latency", [WRITER]);
  await client.until(({ event }) => event.type === "drained", "the end of the writer", (SECONDS + 20) * 1000);
  ways.sort((a, b) => a - b);
  const at = (share: number): string => (ways[Math.floor(ways.length * share)] ?? Number.NaN).toFixed(1);
  const load = ((cpuMs(agent.pid) - cpu) / SECONDS / 10).toFixed(1);
  console.log(`${ways.length} lines at 1 MB/s: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, worst ${at(0.9999)} ms, agent CPU ${load} %`);
  await client.close();
}

try {
  const agent = await startAgent(bench);
  await delay(15_000);
  console.log(`idle for 15 s: RSS ${memory(agent.pid)}`);
  await throughput(agent, 1);
  await throughput(agent, 8);
  await latency(agent);
} finally {
  for (const end of endings) await end();
}
process.exit(0);
