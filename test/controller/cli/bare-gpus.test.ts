/** What a bare host answers to one question: rows, none, complaints, half an answer; garbage becomes no number. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { sampleSchema } from "../../../cluster/telemetry/sample.ts";
import { readAnswer } from "../../../controller/cli/bare-gpus.ts";

const ROW = "0, GPU-aa, NVIDIA H100 80GB HBM3, 590.48.01, 12, 1024, 81559, 41, 69.85, 700.00, 345\n";

test("GPUs and whose processes", () => {
  const { tool, gpus, processes } = readAnswer(
    `@gpus\n${ROW}@code 0\n@processes\nGPU-aa, 42, 900, python a, b.py\nGPU-aa, 43, 1, x\n@users\n42 bob\n43 \n`,
    false,
  );
  assert.equal(tool?.state, "ok");
  assert.deepEqual(gpus["GPU-aa"], {
    index: 0,
    name: "NVIDIA H100 80GB HBM3",
    driver: "590.48.01",
    use: 12,
    memoryUsedMiB: 1024,
    memoryTotalMiB: 81559,
    temperatureC: 41,
    powerW: 69.85,
    powerLimitW: 700,
    smMHz: 345,
  });
  assert.deepEqual(processes["GPU-aa/42"], { gpu: "GPU-aa", pid: 42, owner: "foreign", name: "python a, b.py", memoryMiB: 900, user: "bob" });
  assert.equal(processes["GPU-aa/43"]?.owner, "unknown");
});

test("no nvidia-smi, a driver that complains, one that hangs, a GPU that is lost", () => {
  assert.equal(readAnswer("@absent\n", false).tool?.state, "absent");
  const broken = readAnswer(
    "@gpus\nFailed to initialize NVML: Driver/library version mismatch\nNVML library version: 550.144\n@code 18\n@processes\n@users\n",
    false,
  );
  assert.deepEqual([broken.tool?.state, broken.tool?.text, broken.gpus], ["failed", "Failed to initialize NVML: Driver/library version mismatch", {}]);
  assert.equal(readAnswer("@gpus\n", true).tool?.state, "hung");
  assert.equal(readAnswer("", false).tool?.state, "failed", "an answer that broke off is no host without GPUs");
  const lost = readAnswer(`@gpus\n${ROW.replace("12, 1024", "[GPU is lost], 0")}@code 0\n@processes\n@users\n`, false);
  assert.deepEqual(lost.gpus["GPU-aa"], { index: 0, name: "NVIDIA H100 80GB HBM3", driver: "590.48.01", down: "lost" });
});

test("whatever a host says, it is within the bounds of a sample", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.string(), fc.constantFrom("@gpus", "@code 0", "@processes", "@users", ROW.trim()))), fc.boolean(), (lines, isLate) => {
      sampleSchema.parse(readAnswer(`${lines.join("\n")}\n`, isLate));
    }),
  );
});
