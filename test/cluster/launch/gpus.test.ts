/** Requests for GPUs against what is there: the choice, its variables, and refusals that name what is there. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseGpus, gpuVars, pickGpus } from "../../../cluster/launch/gpus.ts";
import type { GpuRequest, HostFacts } from "../../../cluster/spec.ts";
import { aGpu, someFacts } from "./fixtures.ts";

const four = someFacts();
const none = someFacts({ gpus: null, gpuProblem: "nvidia-smi not found" });

function variables(request: GpuRequest, facts: HostFacts | null, hideAll = false): Record<string, string> {
  const vars = gpuVars(pickGpus(request, facts, "h"), request, facts, hideAll);
  return Object.fromEntries(vars.map((each) => [each.name, "value" in each ? each.value : ""]));
}

function refusal(request: GpuRequest, facts: HostFacts | null): string {
  const choice = chooseGpus(request, facts, "gpu-a");
  assert.ok(!choice.ok);
  assert.equal(choice.problem.host, "gpu-a");
  return `${choice.problem.code}: ${choice.problem.message} | ${choice.problem.hint}`;
}

test("a count takes the first; all of them need no variable", () => {
  assert.deepEqual(
    pickGpus({ kind: "count", count: 2 }, four, "h").gpus.map((gpu) => gpu.index),
    [0, 1],
  );
  assert.deepEqual(variables({ kind: "count", count: 4 }, four), {});
  assert.deepEqual(variables({ kind: "auto" }, four), {});
  assert.deepEqual(variables({ kind: "count", count: 2 }, four), { CUDA_DEVICE_ORDER: "PCI_BUS_ID", CUDA_VISIBLE_DEVICES: "0,1" });
});

test("a list is kept in its order, by index or by UUID as it was written", () => {
  assert.deepEqual(variables({ kind: "list", ids: ["3", "1"] }, four), { CUDA_DEVICE_ORDER: "PCI_BUS_ID", CUDA_VISIBLE_DEVICES: "3,1" });
  assert.deepEqual(variables({ kind: "list", ids: ["GPU-2"] }, four), { CUDA_VISIBLE_DEVICES: "GPU-2" });
  assert.deepEqual(variables({ kind: "list", ids: ["MIG-1"] }, four), { CUDA_VISIBLE_DEVICES: "MIG-1" });
});

test("CPU ranks see no GPU", () => {
  const choice = pickGpus({ kind: "none", slots: 3 }, four, "h");
  assert.equal(choice.nproc, 3);
  assert.deepEqual(choice.gpus, []);
  assert.deepEqual(variables({ kind: "none", slots: 3 }, four), { CUDA_VISIBLE_DEVICES: "" });
  assert.deepEqual(variables({ kind: "count", count: 4 }, four, true), { CUDA_VISIBLE_DEVICES: "" });
});

test("refusals name what is there and the way out", () => {
  assert.match(refusal({ kind: "count", count: 8 }, four), /GPU_COUNT: gpu-a: .*8 GPUs, there are 4: 0 \(NVIDIA A100\).*\| set `gpus: 4`/);
  assert.match(
    refusal({ kind: "count", count: 4 }, none),
    /NO_GPUS: gpu-a: nvidia-smi not found, but the file asks for 4 GPUs \| say `gpus: 0` and `slots: 4`/,
  );
  assert.match(refusal({ kind: "auto" }, someFacts({ gpus: [] })), /NO_GPUS/);
  for (const [gpuProblem, cure] of [
    ["nvidia-smi: NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", /modprobe nvidia/],
    ["nvidia-smi: Failed to initialize NVML: Driver/library version mismatch", /sudo reboot/],
    ["nvidia-smi: no answer within 5 s", /sudo reboot/],
  ] as const) {
    const said = refusal({ kind: "count", count: 4 }, someFacts({ gpus: null, gpuProblem }));
    assert.match(said, /gpu-a: its NVIDIA driver does not work \(nvidia-smi: .*\| nexadist diag --host gpu-a says more; the driver: ssh (-t )?gpu-a '/);
    assert.match(said, cure);
    assert.doesNotMatch(said, /gpus: 0/, "the way out is not to do without");
  }
  assert.match(refusal({ kind: "list", ids: ["9"] }, four), /GPU_UNKNOWN: gpu-a: no GPU 9; there are: 0/);
  assert.match(refusal({ kind: "list", ids: ["1", "GPU-1"] }, four), /GPU_TWICE/);
  assert.match(refusal({ kind: "auto" }, null), /HOST_NOT_ASKED/);
});

test("a host that was not asked is taken at the file's word", () => {
  assert.equal(pickGpus({ kind: "count", count: 8 }, null, "h").nproc, 8);
  assert.deepEqual(variables({ kind: "count", count: 8 }, null), {});
  assert.deepEqual(variables({ kind: "list", ids: ["1"] }, null), { CUDA_DEVICE_ORDER: "PCI_BUS_ID", CUDA_VISIBLE_DEVICES: "1" });
});

test("a GPU's facts beyond its name do not travel", () =>
  assert.deepEqual(pickGpus({ kind: "auto" }, someFacts({ gpus: [aGpu(0)] }), "h").gpus, [{ index: 0, uuid: "GPU-0" }]));
