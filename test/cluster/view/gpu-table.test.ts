/** The tables of `gpus` and `top`: "-" for what is not known, no number of a host that is out of sight, nothing that drives a terminal. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { replay } from "../../../cluster/run/reduce.ts";
import { NOTHING, type Sample } from "../../../cluster/telemetry/sample.ts";
import { gpuLines } from "../../../cluster/view/gpu-table.ts";
import type { HostReading } from "../../../cluster/view/host-telemetry.ts";
import { topLines } from "../../../cluster/view/top-table.ts";
import { lifeOf, SPEC } from "../../support/fake-controller.ts";

const BUSY: Sample = {
  ...NOTHING,
  tool: { name: "nvidia-smi", state: "ok" },
  gpus: {
    b: { index: 1, name: "H100", down: "lost" },
    a: {
      index: 0,
      name: "H100",
      use: 97,
      memoryUsedMiB: 2048,
      memoryTotalMiB: 81920,
      powerW: 611.6,
      powerLimitW: 700,
      temperatureC: 71,
      smMHz: 1830,
      reasons: 0x44,
    },
  },
  processes: {
    "a/7": { gpu: "a", pid: 7, owner: "ours", run: "r" },
    "a/9": { gpu: "a", pid: 9, owner: "foreign", user: "bob", name: "python \u001b[2Jx", memoryMiB: 1024 },
    "a/11": { gpu: "a", pid: 11, owner: "unknown" },
  },
  host: {
    cpuUse: 50,
    cpus: 8,
    load1: 4,
    memoryTotalBytes: 32e9,
    memoryAvailableBytes: 8e9,
    swapUsedBytes: 0,
    cpuPressure: 12,
    memoryPressure: 0,
    ioPressure: 0,
  },
  disks: { "/": { totalBytes: 100e9, freeBytes: 20e9 }, "/data": { totalBytes: 100e9, freeBytes: 5e9 } },
};
const reading = (more: Partial<HostReading> = {}): HostReading => ({ host: "gpu-a", sample: BUSY, ageMs: 1000, why: "", ranks: new Map([[7, 3]]), ...more });

test("numbers as they are, in the order of nvidia-smi; ranks, states, and processes that are not ours", () => {
  const [, first = "", second = "", ...rest] = gpuLines([reading()], 0);
  assert.match(first, /^gpu-a +0 +H100 +97% +2\.0\/80\.0 +612\/700 +71 C +1830 +r3 +at the power limit, too hot for the hardware$/);
  assert.match(second, /^gpu-a +1 +H100 +- +- +- +- +- +- +LOST$/);
  assert.equal(rest[0], "gpu-a GPU 0: process 9 of bob, python ␛[2Jx, 1.0 GiB, not of this run");
  assert.equal(rest[1], "gpu-a GPU 0: process 11 of somebody who cannot be told here, whose cannot be told");
});

test("what is old, hung, absent or never came is said, and no number is shown", () => {
  const stale = gpuLines([reading({ ageMs: 12_000 })], 0).join("\n");
  assert.match(stale, /gpu-a: stale: it last told 12 s ago/);
  for (const number of ["97%", "612", "71 C", "bob"]) assert.ok(!stale.includes(number), number);
  const tool = (state: "hung" | "absent" | "failed", text?: string): string =>
    gpuLines([reading({ sample: { ...NOTHING, tool: { name: "nvidia-smi", state, since: 1000, ...(text === undefined ? {} : { text }) } } })], 13_000).join(
      "\n",
    );
  assert.equal(tool("hung"), "gpu-a: nvidia-smi hangs for 12 s");
  assert.equal(tool("absent"), "gpu-a: no nvidia-smi: no GPU that can be seen");
  assert.equal(tool("failed", "Driver/library version mismatch"), "gpu-a: nvidia-smi fails for 12 s: Driver/library version mismatch");
  assert.deepEqual(gpuLines([reading({ sample: null, why: "it is lost" })], 0), ["gpu-a: it is lost"]);
  assert.deepEqual(gpuLines([reading({ sample: null })], 0), ["gpu-a: it has not told anything yet"]);
});

test("hosts and ranks: rates of the busiest interface, the fullest disk, what tasks wait for", () => {
  const state = { ...replay(lifeOf(SPEC, "succeeded").slice(0, -3)), ranks: { 3: { rank: 3, host: "gpu-a", pid: 7, startedAt: 1, exit: null } } };
  const rates = { eth0: { rx: 1e6, tx: 2e6 }, lo: { rx: 5, tx: 5 } };
  const text = topLines(state, [reading({ rates }), reading({ host: "gpu-b", ageMs: 60_000 })], 0).join("\n");
  assert.match(text, /gpu-a +50% of 8 +4\.0 +24\.0 GB of 32\.0 GB +0 B +cpu 12% +1\.0 MB\/s +2\.0 MB\/s +5\.0 GB \/data +2 +97% +612/);
  assert.match(text, /gpu-b( +-){11}/);
  assert.match(text, /r3 +gpu-a +7 +0 +97% +- +612/);
  assert.match(text, /gpu-b: stale: it last told 1 min 0 s ago/);
});
