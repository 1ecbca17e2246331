/** The stand-in for nvidia-smi: the formats and the failures that a real one has. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { makeTempDir, writeControl } from "../support/fake-gpus.ts";

const PROGRAM = fileURLToPath(new URL("../../scripts/fake-nvidia-smi", import.meta.url));

test("queries print as nvidia-smi prints them", async (t) => {
  const control = await writeControl(await makeTempDir(t), {
    gpus: [{ uuid: "GPU-a" }, { uuid: "GPU-b", "memory.used": "19818 MiB" }],
    apps: [{ gpu: 1, pid: 77, process_name: "python, train", used_gpu_memory: 2566 }],
  });
  const ask = async (...args: string[]) => (await execa("python3", ["-I", "-S", PROGRAM, ...args], { env: { FAKE_NVIDIA_SMI: control } })).stdout;
  assert.equal(await ask("-L"), "GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-a)\nGPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-b)");
  assert.equal(await ask("--query-gpu=index,memory.used", "--format=csv"), "index, memory.used [MiB]\n0, 0 MiB\n1, 19818 MiB");
  assert.equal(await ask("--query-gpu=gpu_uuid,memory.used", "--format=csv,noheader,nounits", "-i", "1"), "GPU-b, 19818");
  assert.equal(await ask("--query-compute-apps=gpu_uuid,pid,used_memory,name", "--format=csv,noheader"), "GPU-b, 77, 2566 MiB, python, train");
  assert.match(await ask("--help-query-gpu"), /^"name" or "gpu_name"$/m);
  const widths = new Set(
    (await ask())
      .split("\n")
      .slice(1)
      .map((line) => line.length),
  );
  assert.deepEqual([...widths], [91], "every line of the table is as wide as the next");
});

test("failures look like nvidia-smi's", async (t) => {
  const dir = await makeTempDir(t);
  const ask = async (mode: string, ...args: string[]) => {
    const control = await writeControl(dir, { mode, gpus: [{}] });
    return execa("python3", ["-I", "-S", PROGRAM, ...args], { env: { FAKE_NVIDIA_SMI: control }, reject: false, timeout: mode === "hang" ? 300 : 20_000 });
  };
  const unknown = await ask("ok", "--query-gpu=index,nonsense", "--format=csv");
  assert.deepEqual([unknown.exitCode, unknown.stdout.trim()], [2, 'Field "nonsense" is not a valid field to query.'], "not one row of data");
  assert.equal((await ask("driver-error", "-L")).exitCode, 9);
  assert.match((await ask("lost-gpu", "--query-gpu=index", "--format=csv,noheader")).stdout, /^Unable to determine .*\n0$/);
  assert.equal((await ask("hang", "-L")).timedOut, true);
});
