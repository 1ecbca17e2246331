/** The spool: numbers that go on, a quota that thins before it drops, and torn files. */

import assert from "node:assert/strict";
import { appendFileSync, readdirSync, readFileSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openSpool } from "../../../agent/telemetry/spool.ts";
import { applyPatch } from "../../../cluster/telemetry/patch.ts";
import { NOTHING, type Sample, type SampleItem } from "../../../cluster/telemetry/sample.ts";
import { makeTempDir } from "../../support/fake-gpus.ts";

const sample = (k: number): Sample => ({ ...NOTHING, gpus: { "GPU-1": { index: 0, name: "H100", use: k % 100, memoryUsedMiB: k } }, host: { cpuUse: k % 7 } });
const fail = (text: string): void => assert.fail(text);

function samplesOf(items: readonly SampleItem[]): { seq: number; sample: Sample }[] {
  let whole: Record<string, unknown> = {};
  return items.map((item) => {
    whole = item.full ?? applyPatch(whole, item.patch ?? {});
    return { seq: item.seq, sample: whole as Sample };
  });
}

test("from any number on, as it was, over files and a new start; the first is whole", async (t) => {
  const dir = await makeTempDir(t);
  const before = openSpool(dir, fail);
  for (let k = 0; k < 700; k++) before.push(k * 1000, sample(k));
  const spool = openSpool(dir, fail);
  assert.equal(spool.id, before.id);
  assert.equal(spool.next(), 700);
  for (let k = 700; k < 710; k++) spool.push(k * 1000, sample(k));
  for (const from of [0, 1, 299, 300, 420, 699, 700, 709]) {
    const read = samplesOf(await spool.read(from, 50));
    assert.equal(read[0]?.seq, from);
    for (const one of read) assert.deepEqual(one.sample, sample(one.seq));
  }
  assert.deepEqual(await spool.read(710, 50), []);
});

test("a crash in mid-line costs that sample, and no number is given twice", async (t) => {
  const dir = await makeTempDir(t);
  const spool = openSpool(dir, fail);
  for (let k = 0; k < 5; k++) spool.push(k * 1000, sample(k));
  const file = join(dir, readdirSync(dir).find((name) => name.endsWith(".jsonl")) ?? "");
  truncateSync(file, statSync(file).size - 3);
  const again = openSpool(dir, fail);
  assert.ok(again.next() >= 4);
  again.push(9000, sample(9));
  const all = samplesOf([...(await again.read(0, 50)), ...(await again.read(again.next() - 1, 50))]);
  assert.equal(new Set(all.map(({ seq }) => seq)).size, all.length);
  assert.deepEqual(all.at(-1)?.sample, sample(9));
});

test("beyond the quota the oldest are thinned to a point a minute, in their order, then dropped", async (t) => {
  const dir = await makeTempDir(t);
  const quota = 60_000;
  const spool = openSpool(dir, fail, quota);
  for (let k = 0; k < 3000; k++) spool.push(k * 1000, sample(k));
  const size = readdirSync(dir).reduce((sum, name) => sum + statSync(join(dir, name)).size, 0);
  assert.ok(size < quota * 1.5, `${size} bytes`);
  const seqs: number[] = [];
  for (let next = 0; next < spool.next(); next = (seqs.at(-1) ?? next) + 1) seqs.push(...(await spool.read(next, 500)).map(({ seq }) => seq));
  assert.deepEqual(
    seqs,
    [...seqs].sort((a, b) => a - b),
  );
  assert.equal(seqs.at(-1), 2999);
  assert.ok(seqs.length < 1500, "the old ones are few");
  const thin = readdirSync(dir).find((name) => name.includes(".thin")) ?? "";
  const [point] = samplesOf(
    readFileSync(join(dir, thin), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as SampleItem),
  );
  assert.equal(point?.sample.gpus["GPU-1"]?.memoryUsedMiB, point?.seq, "of memory the highest");
});

test("a disk that takes nothing loses samples, not the agent; there is no end of files", async (t) => {
  const dir = await makeTempDir(t);
  const told: string[] = [];
  const spool = openSpool(join(dir, "spool"), (text) => told.push(text));
  spool.push(0, sample(0));
  const [file = ""] = readdirSync(join(dir, "spool")).filter((name) => name.endsWith(".jsonl"));
  appendFileSync(join(dir, "spool", file), "garbage that no sample is\n");
  assert.deepEqual(
    samplesOf(await spool.read(0, 9)).map(({ seq }) => seq),
    [0],
  );
  assert.deepEqual(told, []);
});
