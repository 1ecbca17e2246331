/** Memory of a GPU that shares the host's: of its processes where all tell, and of no other GPU. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Sample } from "../../../cluster/telemetry/sample.ts";
import { withSharedMemory } from "../../../cluster/telemetry/shared-memory.ts";

const sample = (memoryMiB?: number): Sample => ({
  gpus: {
    "GPU-a": { temperatureC: 40 },
    "GPU-b": { temperatureC: 40, memoryUsedMiB: 5, memoryTotalMiB: 80 },
    "GPU-c": { down: "lost" },
    "GPU-d": {},
    amd0: { temperatureC: 40 },
  },
  processes: {
    "GPU-a/7": { gpu: "GPU-a", pid: 7, owner: "ours", memoryMiB: 300 },
    "GPU-a/8": { gpu: "GPU-a", pid: 8, owner: "foreign", ...(memoryMiB === undefined ? {} : { memoryMiB }) },
    "GPU-b/9": { gpu: "GPU-b", pid: 9, owner: "ours", memoryMiB: 1 },
  },
  host: { memoryTotalBytes: 2 ** 30 },
  nets: {},
  disks: {},
});

test("a GPU without memory of its own is told by its processes; nothing is made up for others", () => {
  const { gpus } = withSharedMemory(sample(12));
  assert.deepEqual(gpus["GPU-a"], { temperatureC: 40, memoryUsedMiB: 312, memoryTotalMiB: 1024 });
  for (const uuid of ["GPU-b", "GPU-c", "GPU-d", "amd0"]) assert.deepEqual(gpus[uuid], sample().gpus[uuid], uuid);
  assert.deepEqual(withSharedMemory(sample()).gpus["GPU-a"], { temperatureC: 40, memoryTotalMiB: 1024 }, "one that does not tell leaves the sum unknown");
  assert.deepEqual(
    withSharedMemory({ ...sample(), processes: {} }).gpus["GPU-a"],
    { temperatureC: 40, memoryTotalMiB: 1024 },
    "nor is it 0 where no process is known",
  );
});
