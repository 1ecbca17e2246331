/** The stand-in for nvidia-smi: the formats and the failures that a real one has. */

import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { execa } from "execa";
import { FAKE_NVIDIA_SMI, type FakeMode, makeTempDir, writeControl } from "../support/fake-gpus.ts";
import { readSamples } from "../support/samples.ts";

const START = ["-I", "-S", FAKE_NVIDIA_SMI];

test("queries print as nvidia-smi prints them", async (t) => {
  const control = await writeControl(await makeTempDir(t), {
    gpus: [{ uuid: "GPU-a" }, { uuid: "GPU-b", "memory.used": "19818 MiB" }],
    apps: [{ gpu: 1, pid: 77, process_name: "python, train", used_gpu_memory: 2566 }],
  });
  const ask = async (...args: string[]) => (await execa("python3", [...START, ...args], { env: { FAKE_NVIDIA_SMI: control } })).stdout;
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

test("what it prints of every field is what was captured", async (t) => {
  const dir = await makeTempDir(t);
  for (const { title, text } of readSamples("nvidia/csv-allfields.txt")) {
    const [header = "", values = ""] = text.split("\n");
    const fields = header.split(", ").map((cell) => cell.replace(/ \[.*/, ""));
    const gpu = Object.fromEntries(values.split(", ").map((cell, at) => [fields[at] ?? "", cell]));
    const control = await writeControl(dir, { profile: title.startsWith("H100") ? "h100" : "rtx2080s", gpus: [gpu] });
    const { stdout } = await execa("python3", [...START, `--query-gpu=${fields.join(",")}`, "--format=csv"], { env: { FAKE_NVIDIA_SMI: control } });
    assert.equal(stdout, `${header}\n${values}`, title);
  }
});

test("failures look like nvidia-smi's", async (t) => {
  const dir = await makeTempDir(t);
  const ask = async (mode: FakeMode, ...args: string[]) => {
    const control = await writeControl(dir, { mode, gpus: [{}] });
    return execa("python3", [...START, ...args], {
      env: { FAKE_NVIDIA_SMI: control },
      reject: false,
      timeout: mode.startsWith("hang") ? 300 : 20_000,
      forceKillAfterDelay: 100,
    });
  };
  const unknown = await ask("ok", "--query-gpu=index,nonsense", "--format=csv");
  assert.deepEqual([unknown.exitCode, unknown.stdout.trim()], [2, 'Field "nonsense" is not a valid field to query.'], "not one row of data");
  assert.equal((await ask("driver-error", "-L")).exitCode, 9);
  assert.match((await ask("lost-gpu", "--query-gpu=index", "--format=csv,noheader")).stdout, /^Unable to determine .*\n0$/);
  assert.equal((await ask("hang", "-L")).timedOut, true);
  assert.equal((await ask("hang-hard", "-L")).signal, "SIGKILL");
  assert.deepEqual([(await ask("empty", "-L")).exitCode, (await ask("die", "-L")).exitCode], [0, 255]);
});

test("the next sample of a loop is as the file has become: values, a GPU lost, processes that end", async (t) => {
  const dir = await makeTempDir(t);
  const worker = execa("sleep", ["1000"], { reject: false });
  t.after(() => worker.kill());
  const app = { gpu: 0, pid: worker.pid ?? 0, process_name: "python3", used_gpu_memory: 512, while_alive: true };
  const control = await writeControl(dir, { gpus: [{}, {}], apps: [app] });
  const query = ["--query-gpu=index,memory.used", "--format=csv,noheader,nounits", "-lms", "50"];
  const smi = execa("python3", [...START, ...query], { env: { FAKE_NVIDIA_SMI: control }, reject: false, buffer: false });
  t.after(() => smi.kill());
  const lines = createInterface({ input: smi.stdout })[Symbol.asyncIterator]();
  const until = async (wanted: string): Promise<void> => {
    for (;;) {
      const { value, done } = await lines.next();
      assert.notEqual(done, true, `before ${wanted}`);
      if (value === wanted) return;
    }
  };
  await until("0, 512");
  worker.kill();
  await until("0, 0");
  await writeControl(dir, { gpus: [{}, { state: "lost" }], texts: ["NVRM: something"] });
  await until("1, [GPU is lost]");
  await until("NVRM: something");
  await writeControl(dir, { gpus: [{}, { gone: true }] });
  await until("Unable to determine the device handle for GPU0000:0A:00.0: Unknown Error");
  await writeControl(dir, { mode: "die", gpus: [] });
  const { exitCode } = await smi;
  assert.equal(exitCode, 255);
});
