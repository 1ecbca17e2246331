/** What a fake nvidia-smi shows, as a file that a test writes. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

export type FakeGpus = {
  readonly mode?: string;
  /** One object per GPU: fields of --query-gpu with their units; absent ones are an idle H100's. */
  readonly gpus: readonly Readonly<Record<string, string>>[];
  readonly apps?: readonly { readonly gpu: number; readonly pid: number; readonly process_name: string; readonly used_gpu_memory: number }[];
};

export async function makeTempDir(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "nexadist-test-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** Returns the file's path, for FAKE_NVIDIA_SMI. In a lab's host it is etc/fake-nvidia-smi.json of its disk. */
export async function writeControl(dir: string, gpus: FakeGpus): Promise<string> {
  const path = join(dir, "fake-nvidia-smi.json");
  await writeFile(path, JSON.stringify(gpus));
  return path;
}
