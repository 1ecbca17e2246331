/**
 * What telemetry costs a host: an agent that samples 8 GPUs at 1 Hz and sends it (goal: at most 80 MB and 2 % of a core), and how late its beats are while
 * nvidia-smi hangs, against not. The fake nvidia-smi is a process of its own and not counted. Run: node scripts/bench/telemetry.ts
 */

import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { FromAgent } from "../../cluster/protocol.ts";
import { connect, type Ends, record, startAgent } from "../../test/support/agent.ts";
import { quantile, report } from "./support/figure.ts";
import { cpuMs, REPO } from "./support/stage.ts";

const GPUS = 8;
const SETTLE_MS = 20_000;
const MEASURE_MS = 60_000;
/** In turn, so that the machine's other work is in both. */
const ROUNDS = 3;
const ROUND_MS = 30_000;
const COMMAND = "node scripts/bench/telemetry.ts";

const endings: (() => unknown)[] = [];
const ends: Ends = { after: (end: () => unknown) => void endings.unshift(end) } as Ends;
const dir = mkdtempSync(join(tmpdir(), "nexadist-bench-"));
endings.push(() => rmSync(dir, { recursive: true, force: true }));

const control = join(dir, "control.json");
writeFileSync(join(dir, "nvidia-smi"), `#!/bin/sh\nFAKE_NVIDIA_SMI=${control} exec ${REPO}/scripts/fake-nvidia-smi "$@"\n`, { mode: 0o755 });
let k = 0;
const set = (mode: string): void => {
  k += 1;
  const busy = {
    "utilization.gpu": `${(k * 7) % 101} %`,
    "power.draw": `${300 + (k % 300)}.5 W`,
    "memory.used": `${20_000 + k} MiB`,
    "temperature.gpu": String(50 + (k % 20)),
    "clocks.current.sm": `${1500 + (k % 400)} MHz`,
  };
  const gpus = Array.from({ length: GPUS }, (_, gpu) => ({ ...busy, uuid: `GPU-00000000-0000-0000-0000-00000000000${gpu}` }));
  writeFileSync(`${control}.new`, JSON.stringify({ mode, gpus }));
  renameSync(`${control}.new`, control);
};

try {
  set("ok");
  process.env.PATH = `${dir}:${process.env.PATH ?? ""}`;
  const agent = await startAgent(ends);
  const client = await connect(ends, agent);
  const lags: number[] = [];
  let taken = 0;
  let bytes = 0;
  client.socket.on("message", (data, isBinary) => {
    if (isBinary) return;
    const message = JSON.parse((data as Buffer).toString("utf8")) as FromAgent;
    if (message.type === "beat") lags.push(message.lagMs);
    if (message.type !== "samples") return;
    taken += message.items.length;
    bytes += (data as Buffer).length;
    client.socket.send(JSON.stringify({ type: "ack", run: "r", samples: (message.items.at(-1) as { seq: number }).seq + 1 }));
  });
  await client.as("r", 1, { do: "adopt", record: record("r", 1, "c1", 1) });
  await client.as("r", 1, { do: "samples", from: 0, id: "" });
  const moving = setInterval(() => set("ok"), 500); // numbers that stand still would cost nothing
  await delay(SETTLE_MS);
  const [before, begun, had, sent] = [cpuMs(agent.pid), performance.now(), taken, bytes];
  await delay(MEASURE_MS);
  const [spent, ms] = [cpuMs(agent.pid) - before, performance.now() - begun];
  clearInterval(moving);
  const rssMb = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${agent.pid}/status`, "utf8"))?.[1]) / 1000;
  const rate = `${((taken - had) / (ms / 1000)).toFixed(2)} samples a second of ${Math.round((bytes - sent) / (taken - had))} bytes`;
  report({
    figure: "an agent that samples 8 GPUs at 1 Hz: memory",
    goal: "<= 80 MB RSS",
    measured: `RSS ${rssMb.toFixed(1)} MB`,
    isMet: rssMb <= 80,
    command: COMMAND,
  });
  report({
    figure: "an agent that samples 8 GPUs at 1 Hz: CPU",
    goal: "<= 2 % of a core",
    measured: `${((100 * spent) / ms).toFixed(2)} % of a core; ${rate}`,
    isMet: spent / ms <= 0.02,
    command: COMMAND,
  });
  const beats: Record<"ok" | "hang-hard", number[]> = { ok: [], "hang-hard": [] };
  for (let round = 0; round < ROUNDS * 2; round++) {
    const mode = round % 2 === 0 ? "ok" : "hang-hard";
    set(mode);
    await delay(SETTLE_MS); // until it is told that it hangs, or has come back
    lags.length = 0;
    await delay(ROUND_MS);
    beats[mode].push(...lags);
  }
  const words = (all: readonly number[]): string => `p50 ${quantile(all, 0.5)}, p99 ${quantile(all, 0.99)} ms of ${all.length}`;
  const [hung, well] = [quantile(beats["hang-hard"], 0.99), quantile(beats.ok, 0.99)];
  report({
    figure: "how late the agent's beats are while nvidia-smi hangs, against while it tells",
    goal: "p99 unchanged (within 20 ms)",
    measured: `${words(beats["hang-hard"])}, against ${words(beats.ok)}`,
    isMet: hung <= well + 20,
    command: COMMAND,
  });
} finally {
  for (const end of endings) await end();
}
process.exit(0);
