/** Xid events from the kernel's log as it grows; AMD's tools, both of them; what cannot be read is not told. */

import assert from "node:assert/strict";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { pollAmd } from "../../../agent/telemetry/amd-poll.ts";
import { keepReadings } from "../../../agent/telemetry/gpu-readings.ts";
import { watchNvlinks } from "../../../agent/telemetry/nvlinks.ts";
import { repeat } from "../../../agent/telemetry/repeat.ts";
import { watchXids } from "../../../agent/telemetry/xids.ts";
import { makeTempDir } from "../../support/fake-gpus.ts";

test("Xids by GPU, whatever the length of its bus id; a log that may not be read is not an empty one", async (t) => {
  const path = join(await makeTempDir(t), "kmsg");
  writeFileSync(path, "6,1,5140900,-;NVRM: loading\n4,2,5140901,-;NVRM: Xid (PCI:0000:09:00): 79, pid='<unknown>', GPU has fallen off the bus.\n");
  appendFileSync(path, "4,3,5140902,-;NVRM: Xid (PCI:0000:0a:00): 31, pid=42, name=python\n4,4,5140903,-;NVRM: Xid (PCI:0000:09:00): 79, pid=1\n");
  const watch = watchXids(path);
  t.after(watch.close);
  assert.deepEqual(watch.of("00000000:09:00.0"), { 79: 2 });
  assert.deepEqual(watch.of("00000000:0A:00.0"), { 31: 1 });
  assert.deepEqual(watch.of("00000000:0B:00.0"), {});
  assert.equal(watchXids(join(path, "absent")).of("00000000:09:00.0"), null);

  const readings = keepReadings();
  readings.row("static", { down: null, cells: { uuid: "GPU-a", index: "0", "pci.bus_id": "00000000:09:00.0" } });
  assert.deepEqual(readings.now(true, watch.of)["GPU-a"]?.xids, { 79: 2 });
  assert.ok(!("xids" in (readings.now(true, () => null)["GPU-a"] ?? {})));
});

const AMD = JSON.stringify({
  gpu_data: [
    {
      gpu: 0,
      usage: { gfx_activity: { value: 88, unit: "%" }, umc_activity: "N/A" },
      mem_usage: { used_vram: { value: 1000, unit: "MB" }, total_vram: { value: 196592, unit: "MB" } },
      temperature: { edge: "N/A", hotspot: { value: 61, unit: "C" } },
      power: { socket_power: { value: 512, unit: "W" } },
    },
  ],
});
const ROCM = JSON.stringify({ card0: { "GPU use (%)": "12", "VRAM Total Memory (B)": "17163091968", "VRAM Total Used Memory (B)": "N/A" }, system: {} });

const noBug = (text: string): void => {
  throw new Error(text);
};

test("a look that throws is told once in its own words, and taken again; one that ends is not", async (t) => {
  const closing = new AbortController();
  t.after(() => closing.abort());
  const told: string[] = [];
  let looks = 0;
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const look = async (): Promise<number | null> => {
    looks += 1;
    if (looks < 4) throw new Error("what it found makes no sense");
    end();
    return null;
  };
  repeat(look, 1, closing.signal, (text) => told.push(text));
  await ended;
  await delay(20);
  assert.equal(looks, 4);
  assert.equal(told.length, 1);
  assert.match(told[0] ?? "", /^bug: Error: what it found makes no sense/);
});

test("AMD: amd-smi where it is, else rocm-smi; a value that a tool has not is absent; a tool that fails says why", async (t) => {
  const dir = await makeTempDir(t);
  const write = (name: string, lines: string): void => writeFileSync(join(dir, name), `#!/bin/sh\n${lines}\n`, { mode: 0o755 });
  const there = new Set(["rocm-smi"]);
  write("rocm-smi", `echo 'WARNING: deprecated'; echo '${ROCM}'`);
  write("amd-smi", `cat ${join(dir, "answer")}`);
  const poll = pollAmd(noBug, (name) => (there.has(name) ? join(dir, name) : null), 50);
  t.after(poll.close);
  const when = async (what: string, look: () => boolean): Promise<void> => {
    for (const deadline = Date.now() + 20_000; !look(); await delay(20))
      if (Date.now() > deadline) throw new Error(`${what}: ${JSON.stringify([poll.tool(), poll.now()])}`);
  };
  await when("rocm-smi", () => poll.now()["AMD-0"]?.use === 12);
  assert.deepEqual(poll.now()["AMD-0"], { index: 0, use: 12, memoryTotalMiB: 16368 });
  writeFileSync(join(dir, "answer"), AMD);
  there.add("amd-smi");
  await when("amd-smi", () => poll.now()["AMD-0"]?.use === 88);
  assert.deepEqual(poll.now()["AMD-0"], { index: 0, use: 88, memoryUsedMiB: 1000, memoryTotalMiB: 196592, temperatureC: 61, powerW: 512 });
  writeFileSync(join(dir, "answer"), "ERROR: no driver");
  await when("its words", () => poll.tool()?.state === "failed" && poll.tool()?.text === "ERROR: no driver");
});

test("NVLinks that work and that do not, with what they counted; a host without is not asked again", async (t) => {
  const dir = await makeTempDir(t);
  const state = (lines: string): string => `GPU 0: NVIDIA H100 (UUID: GPU-a)\n${lines}\n`;
  const program = join(dir, "nvidia-smi");
  writeFileSync(program, `#!/bin/sh\necho asked >> ${dir}/asked\ncat ${dir}/$2\n`, { mode: 0o755 });
  writeFileSync(join(dir, "-s"), state("\t Link 0: 26.562 GB/s\n\t Link 1: <inactive>"));
  writeFileSync(join(dir, "-e"), state("\t Link 0: Replay Errors: 3\n\t Link 0: Recovery Errors: 1"));
  const until = async (what: string, look: () => boolean): Promise<void> => {
    for (const deadline = Date.now() + 20_000; !look(); await delay(20)) if (Date.now() > deadline) throw new Error(what);
  };
  const watch = watchNvlinks(() => program, 20, noBug);
  t.after(watch.close);
  await until("links", () => watch.now()["GPU-a"] !== undefined);
  assert.deepEqual(watch.now()["GPU-a"], { nvlinks: 1, nvlinksDown: 1, nvlinkErrors: 4 });
  watch.close();

  writeFileSync(join(dir, "-s"), state("\t Device does not have or support Nvlink"));
  writeFileSync(join(dir, "asked"), "");
  let looks = 0;
  const without = watchNvlinks(
    () => {
      looks += 1;
      return program;
    },
    20,
    noBug,
  );
  t.after(without.close);
  await until("an answer", () => readFileSync(join(dir, "asked"), "utf8") === "asked\n");
  await delay(200);
  assert.equal(looks, 1);
  assert.deepEqual(without.now(), {});
});
