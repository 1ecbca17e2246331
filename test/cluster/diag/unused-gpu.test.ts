/** What is wrong with a GPU that the run leaves alone is told, and keeps nothing back. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { unlessUsed } from "../../../cluster/diag/unused-gpu.ts";
import type { GpuRequest, HostSpec } from "../../../cluster/spec.ts";

const judged = (gpus: GpuRequest, index: string, gpu?: string) =>
  unlessUsed({ gpus } as HostSpec, { status: "fail", observed: "is lost", words: { index }, ...(gpu === undefined ? {} : { gpu }) }).status;

test("only GPUs that the file asks for keep a launch back", () => {
  assert.equal(judged({ kind: "list", ids: ["0", "1"] }, "3"), "warn");
  assert.equal(judged({ kind: "list", ids: ["0", "1"] }, "1"), "fail");
  assert.equal(judged({ kind: "list", ids: ["0", "1"] }, "3,1"), "fail", "one of several is used");
  assert.equal(judged({ kind: "list", ids: ["GPU-a"] }, "3", "GPU-a"), "fail");
  assert.equal(judged({ kind: "list", ids: ["GPU-a"] }, "3", "GPU-b"), "warn");
  assert.equal(judged({ kind: "count", count: 2 }, "3"), "warn");
  assert.equal(judged({ kind: "count", count: 4 }, "3"), "fail");
  assert.equal(judged({ kind: "auto" }, "3"), "fail");
  const whole = { status: "fail", observed: "the driver hangs" } as const;
  assert.equal(unlessUsed({ gpus: { kind: "count", count: 1 } } as HostSpec, whole), whole, "what is not of one GPU stays");
});
