/** The receipt's GPU memory: a number only where nvidia-smi's word can be attributed. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { launch, makeLab, PYTHON, PYTHON_DIR, pythonRank } from "../support/shims.ts";

const heldBy = (pids: string, text: string, first = "True") =>
  execFileSync(
    PYTHON,
    [
      "-I",
      "-S",
      "-c",
      `import sys; sys.path.insert(0, ${JSON.stringify(PYTHON_DIR)}); sys.dont_write_bytecode = True
import shim_gpu; print(shim_gpu.held_by(${pids}, sys.argv[1], ${first}, lambda pid: pid == 77))`,
      text,
    ],
    { encoding: "utf8" },
  ).trim();

test("memory is attributed by pid; what cannot be attributed is unknown", () => {
  assert.equal(heldBy("{5, 6}", "5, 100\n77, 4000\n6, 20\nok\n"), "120");
  assert.equal(heldBy("{5}", "ok\n"), "0");
  assert.equal(heldBy("{5}", "88, 100\nok\n"), "nvidia-smi names pid 88, which is not here");
  assert.equal(heldBy("{5}", "ok\n", "False"), "nvidia-smi counts by pids of another namespace", "an empty list in a container proves nothing");
  assert.equal(heldBy("{5}", "5, [N/A]\nok\n"), "nvidia-smi gives no memory per process");
  assert.equal(heldBy("{5}", ""), "nvidia-smi failed");
  assert.equal(heldBy("{5}", "No devices were found\nok\n"), "nvidia-smi lists no processes");
});

test("an nvidia-smi that hangs is ended, and the receipt says unknown", async (t) => {
  const lab = makeLab(t);
  const bin = join(lab.arm.dir, "..", "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "nvidia-smi"), "#!/bin/sh\nsleep 600\n");
  chmodSync(join(bin, "nvidia-smi"), 0o755);
  await lab.startShim(`import os, shim_gpu; os.environ["PATH"] = ${JSON.stringify(bin)} + ":" + os.environ["PATH"]; shim_gpu._ANSWER_S = 0.3`);
  const agent = await lab.connect();
  agent.send(launch([pythonRank(0, "pass")], 1000));
  const { receipt } = await agent.event("ended");
  assert.deepEqual([receipt.left, receipt.gpuMemoryMiB, receipt.gpuMemoryWhy], [0, null, "nvidia-smi did not answer within 0.3 s"]);
});
