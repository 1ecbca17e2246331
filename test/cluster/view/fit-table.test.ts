/** What a narrow terminal is shown of a table: the columns that matter, whole. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { NOTHING } from "../../../cluster/telemetry/sample.ts";
import { fitTable } from "../../../cluster/view/fit-table.ts";
import { gpuLines } from "../../../cluster/view/gpu-table.ts";

const rows = [
  ["HOST", "NAME", "USE", "STATE"],
  ["gpu-a", "NVIDIA H100 80GB HBM3", "97%", "LOST"],
];

test("columns go in the declared order, only as many as must, and the others stay whole", () => {
  assert.deepEqual(fitTable(rows, 80, ["NAME", "USE"])[0], "HOST   NAME                   USE  STATE");
  assert.deepEqual(fitTable(rows, 30, ["NAME", "USE"]), ["HOST   USE  STATE", "gpu-a  97%  LOST"]);
  assert.deepEqual(fitTable(rows, 12, ["NAME", "USE"]), ["HOST   STATE", "gpu-a  LOST"]);
  assert.deepEqual(fitTable(rows, 1, ["NAME", "USE"]).length, 2, "what is not named stays");
});

test("of GPUs at 80 columns host, use, memory, for whom and state are there", () => {
  const gpu = {
    index: 0,
    name: "NVIDIA H100 80GB HBM3",
    use: 97,
    memoryUsedMiB: 70000,
    memoryTotalMiB: 81559,
    powerW: 690,
    powerLimitW: 700,
    temperatureC: 71,
    smMHz: 1980,
    down: "lost",
  } as const;
  const lines = gpuLines([{ host: "training-host-17", ageMs: 0, ranks: new Map(), why: "", sample: { ...NOTHING, gpus: { "GPU-1": gpu } } }], 0, 80);
  for (const line of lines) assert.ok(line.length <= 80, line);
  assert.match(lines[0] ?? "", /^HOST +GPU .*USE .*MEMORY GiB .*FOR .*STATE$/);
  assert.match(lines[1] ?? "", /97%.*LOST$/);
});
