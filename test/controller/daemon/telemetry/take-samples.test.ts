/** One host's samples at the controller: each once, in order, on disk before they are acknowledged; a host that lies harms its own numbers alone. */

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import type { Command } from "../../../../cluster/protocol.ts";
import { diff } from "../../../../cluster/telemetry/patch.ts";
import { NOTHING, type Sample } from "../../../../cluster/telemetry/sample.ts";
import { readHistory } from "../../../../controller/daemon/telemetry/run-telemetry.ts";
import { takeSamples } from "../../../../controller/daemon/telemetry/take-samples.ts";
import { readPoints } from "../../../../controller/daemon/telemetry/tiers.ts";
import type { AgentLink } from "../../../../controller/reach/link.ts";
import { makeTempDir } from "../../../support/fake-gpus.ts";

const RECORD = { run: "r", epoch: 1, controller: "c", seq: 1, spec: {}, state: {} };
const GPUS = new Set(["g"]);
const sample = (k: number): Sample => ({ ...NOTHING, gpus: { g: { index: 0, use: k % 100, powerW: 100 } }, host: { load1: k } });

/** An agent whose samples are `sample(0)`, `sample(1)`, …, a second apart. */
function agent(id = "a1") {
  const asked: { from: number; id: string }[] = [];
  const acks: number[] = [];
  let take: (items: readonly unknown[]) => void = () => undefined;
  const link = {
    welcome: { samples: true },
    takeSamples: (_: string, taker: typeof take) => {
      take = taker;
      return () => undefined;
    },
    ack: (_: string, __: undefined, ___: undefined, samples: number) => void acks.push(samples),
    command: (order: Command) => {
      if (order.do === "samples") asked.push({ from: order.from, id: order.id });
      return Promise.resolve({ id });
    },
  } as unknown as AgentLink;
  const items = (from: number, to: number): unknown[] =>
    Array.from({ length: to - from }, (_, n) => {
      const seq = from + n;
      const at = 1e12 + seq * 1000;
      return n === 0 ? { seq, at, full: sample(seq) } : { seq, at, patch: diff(sample(seq - 1), sample(seq)) };
    });
  return { link, asked, acks, items, send: (all: readonly unknown[]) => take(all) };
}

async function host(t: TestContext, dir: string) {
  const notices: string[] = [];
  const told: number[] = [];
  const made = takeSamples({ host: "h", dir, gpus: () => GPUS, notice: (text) => void notices.push(text), onSample: ({ seq }) => void told.push(seq) });
  t.after(made.close);
  return { ...made, notices, told };
}
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("taken once, acknowledged after the disk has them; a controller that was killed asks from the next on and its sums lose nothing", async (t) => {
  const dir = join(await makeTempDir(t), "h");
  const [before, far] = [await host(t, dir), agent()];
  before.begin(far.link, RECORD);
  await settle();
  far.send(far.items(0, 40));
  far.send(far.items(30, 60));
  assert.deepEqual(
    before.told,
    Array.from({ length: 60 }, (_, k) => k),
  );
  assert.equal(far.acks.at(-1), 60);
  // No close: killed.
  const [after, again] = [await host(t, dir), agent()];
  after.begin(again.link, RECORD);
  await settle();
  assert.deepEqual(again.asked, [{ from: 60, id: "a1" }]);
  assert.deepEqual(after.last()?.sample, sample(59));
  assert.equal(after.heardAt(), null, "nothing came since");
  assert.equal(after.totals().joules, 59 * 100);
  again.send(again.items(60, 61));
  assert.equal(after.totals().joules, 60 * 100);
});

test("an agent that has lost its samples numbers anew, and its samples are taken", async (t) => {
  const dir = join(await makeTempDir(t), "h");
  const [made, far, other] = [await host(t, dir), agent("a1"), agent("a2")];
  made.begin(far.link, RECORD);
  await settle();
  far.send(far.items(0, 20));
  made.begin(other.link, RECORD);
  await settle();
  other.send(other.items(0, 3));
  assert.equal(made.told.length, 23);
  assert.equal(other.acks.at(-1), 3);
  assert.equal(readFileSync(join(dir, "id"), "utf8"), "a2");
});

test("by the second, by ten, by the minute: bounded on the disk, and the history has each time once", async (t) => {
  const dir = join(await makeTempDir(t), "h");
  const [made, far] = [await host(t, dir), agent()];
  made.begin(far.link, RECORD);
  await settle();
  for (let k = 0; k < 12_000; k += 600) far.send(far.items(k, k + 600));
  const points = readPoints(dir, 0);
  assert.deepEqual(
    points.map(({ at }) => at),
    points.map(({ at }) => at).toSorted((a, b) => a - b),
  );
  const spans = (ms: number): number => points.filter(({ spanMs }) => spanMs === ms).length;
  assert.ok(spans(1000) >= 600 && spans(1000) <= 900, `${spans(1000)} seconds`);
  assert.ok(spans(10_000) >= 600 && spans(10_000) <= 1100, `${spans(10_000)} tens`);
  assert.ok(spans(60_000) >= 10, `${spans(60_000)} minutes`);
  const size = readdirSync(dir).reduce((sum, name) => sum + readFileSync(join(dir, name)).length, 0);
  assert.ok(size < 600_000, `${size} bytes`);
  assert.equal(readHistory(join(dir, ".."), 1e12 + 11_990_000).length, 10);
});

test("no garbage from a host throws, is kept or stops what follows it", async (t) => {
  const dir = await makeTempDir(t);
  let n = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(fc.jsonValue(), fc.record({ seq: fc.nat(9), at: fc.nat(), full: fc.jsonValue(), patch: fc.jsonValue() }, { requiredKeys: [] }))),
      async (garbage) => {
        n += 1;
        const made = takeSamples({ host: "h", dir: join(dir, String(n)), gpus: () => GPUS, notice: () => undefined, onSample: () => undefined });
        const far = agent();
        made.begin(far.link, RECORD);
        await settle();
        far.send(garbage);
        far.send([{ seq: 0, at: 1, full: { ...sample(0), gpus: { g: { use: 101 } } } }]);
        far.send(far.items(100, 102));
        assert.deepEqual(made.last()?.sample, sample(101));
        made.close();
        rmSync(join(dir, String(n)), { recursive: true, force: true });
      },
    ),
    { numRuns: 150 },
  );
});

test("a disk that takes nothing: nothing is acknowledged, the run is told once, and an older agent is not asked", async (t) => {
  const dir = join(await makeTempDir(t), "h");
  writeFileSync(dir, "a file where the directory should be");
  const [made, far] = [await host(t, dir), agent()];
  made.begin(far.link, RECORD);
  await settle();
  far.send(far.items(0, 5));
  far.send(far.items(5, 9));
  assert.equal(made.notices.length, 1);
  assert.ok(far.acks.every((ack) => ack === 0));
  const old = agent();
  Object.assign(old.link, { welcome: {} });
  made.begin(old.link, RECORD);
  await settle();
  assert.deepEqual(old.asked, []);
  assert.ok(!existsSync(join(dir, "id")));
});
