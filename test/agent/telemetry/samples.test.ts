/** Samples of a real agent, over its socket: numbered without a hole, whole again after a link or the agent is gone, and nothing of it holds up a beat. */

import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { FromAgent } from "../../../cluster/protocol.ts";
import { BEAT_MS } from "../../../cluster/protocol.ts";
import { applyPatch } from "../../../cluster/telemetry/patch.ts";
import { type Sample, type SampleItem, sampleItem, sampleSchema } from "../../../cluster/telemetry/sample.ts";
import { type Client, connect, record, startAgent, type TestAgent } from "../../support/agent.ts";
import { makeTempDir } from "../../support/fake-gpus.ts";

const FAKE = fileURLToPath(new URL("../../../scripts/fake-nvidia-smi", import.meta.url));
const WAIT_MS = 60_000;

/** What the agent sees of GPUs is this test's: the agent has its PATH. */
async function agentWithGpus(t: TestContext): Promise<{ agent: TestAgent; control: (state: object) => void }> {
  const { PATH = "" } = process.env;
  const dir = await makeTempDir(t);
  const path = join(dir, "control.json");
  writeFileSync(join(dir, "nvidia-smi"), `#!/bin/sh\nFAKE_NVIDIA_SMI=${path} exec ${FAKE} "$@"\n`, { mode: 0o755 });
  const control = (state: object): void => writeFileSync(path, JSON.stringify(state));
  control({ gpus: [{ "utilization.gpu": "42 %" }] });
  process.env.PATH = `${dir}:${PATH}`;
  const agent = await startAgent(t);
  process.env.PATH = PATH;
  return { agent, control };
}

type Taken = {
  readonly items: readonly SampleItem[];
  readonly samples: readonly Sample[];
  readonly when: (what: string, look: (taken: Taken) => boolean) => Promise<void>;
};

/** As a controller takes them: applied one after the other, and acknowledged. */
function take(client: Client, run: string): Taken {
  const items: SampleItem[] = [];
  const samples: Sample[] = [];
  let whole: Record<string, unknown> = {};
  client.socket.on("message", (data, isBinary) => {
    if (isBinary) return;
    const message = JSON.parse((data as Buffer).toString("utf8")) as FromAgent;
    if (message.type !== "samples" || message.run !== run) return;
    for (const raw of message.items) {
      const item = sampleItem.parse(raw);
      whole = item.full ?? applyPatch(whole, item.patch ?? {});
      items.push(item);
      samples.push(sampleSchema.parse(whole));
    }
    client.socket.send(JSON.stringify({ type: "ack", run, samples: (items.at(-1)?.seq ?? -1) + 1 }));
  });
  const taken: Taken = {
    items,
    samples,
    when: async (what, look) => {
      for (const deadline = Date.now() + WAIT_MS; !look(taken); await delay(50)) {
        if (Date.now() > deadline) throw new Error(`${what}: ${items.length} samples, the last ${JSON.stringify(samples.at(-1))?.slice(0, 500)}`);
      }
    },
  };
  return taken;
}

const gpuOf = (sample: Sample | undefined) => Object.values(sample?.gpus ?? {})[0];
async function begin(client: Client, run: string, from = 0, id = "") {
  await client.as(run, 1, { do: "adopt", record: record(run, 1, "c1", 9) });
  return (await client.as(run, 1, { do: "samples", from, id })) as { id: string };
}

test("samples come numbered; over another link they go on where they were acknowledged; the agent's death costs no number twice", async (t) => {
  const { agent } = await agentWithGpus(t);
  const client = await connect(t, agent);
  assert.equal(client.welcome.samples, true);
  const first = take(client, "r1");
  const { id } = await begin(client, "r1");
  await first.when("a GPU's use", ({ samples }) => gpuOf(samples.at(-1))?.use === 42);
  await first.when("CPU use", ({ samples }) => samples.at(-1)?.host.cpuUse !== undefined);
  const next = (first.items.at(-1)?.seq ?? 0) + 1;
  await client.close();

  const again = await connect(t, agent);
  const second = take(again, "r1");
  assert.equal((await begin(again, "r1", next, id)).id, id);
  await second.when("more", ({ items }) => items.length >= 2);
  assert.equal(second.items[0]?.seq, next);
  assert.ok(second.items[0]?.full !== undefined, "the first over a link is whole");

  process.kill(agent.pid, "SIGKILL");
  await again.closed;
  const seen = [...first.items, ...second.items].map(({ seq }) => seq);
  assert.deepEqual(
    seen,
    seen.map((_, k) => k),
    "without a hole, each once",
  );
  const third = await connect(t, await agent.start());
  const rest = take(third, "r1");
  await begin(third, "r1", seen.length, id);
  await rest.when("more after the agent's death", ({ items }) => items.length >= 2);
  const [came] = rest.items;
  assert.ok((came?.seq ?? 0) >= seen.length, "no number twice");
  await third.as("r1", 1, { do: "forget" });
});

test("numbers of another agent's begin anew; a run gets nothing from before its own beginning", async (t) => {
  const { agent } = await agentWithGpus(t);
  const client = await connect(t, agent);
  const own = take(client, "r1");
  await begin(client, "r1");
  await own.when("three", ({ items }) => items.length >= 3);
  const from = own.items.at(-1)?.seq ?? 0;
  const later = take(client, "r2");
  await begin(client, "r2", 900, "of-somebody-else");
  await later.when("two", ({ items }) => items.length >= 2);
  assert.ok((later.items[0]?.seq ?? 0) >= from, "what came before the run is not its");
  assert.ok(!existsSync(join(agent.stateDir, "runs/r2/samples")), "samples are the agent's, once for all runs");
  assert.ok(!readFileSync(join(agent.stateDir, "runs/r1/events.jsonl"), "utf8").includes("gpus"), "samples are no events");
});

test("while nvidia-smi hangs the agent's beats come as ever, and its GPUs are told without numbers", async (t) => {
  const { agent, control } = await agentWithGpus(t);
  const client = await connect(t, agent);
  const lags: number[] = [];
  client.socket.on("message", (data, isBinary) => {
    const message = isBinary ? null : (JSON.parse((data as Buffer).toString("utf8")) as FromAgent);
    if (message?.type === "beat") lags.push(message.lagMs);
  });
  const taken = take(client, "r1");
  await begin(client, "r1");
  await taken.when("alive", ({ samples }) => gpuOf(samples.at(-1))?.use === 42);
  control({ mode: "hang", gpus: [{}] });
  await taken.when("hung", ({ samples }) => samples.at(-1)?.tool?.state === "hung");
  const gpu = gpuOf(taken.samples.at(-1));
  assert.equal(gpu?.name, "NVIDIA H100 80GB HBM3");
  assert.ok(gpu !== undefined && !("use" in gpu) && !("memoryUsedMiB" in gpu));
  assert.ok((taken.samples.at(-1)?.host.memoryTotalBytes ?? 0) > 0, "the host is told of as before");
  assert.ok(lags.length >= 3);
  assert.ok(
    lags.every((lag) => lag < BEAT_MS),
    `no beat was skipped: ${lags.join(" ")}`,
  );
});
