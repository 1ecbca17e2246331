/** What a fake nvidia-smi shows, as a file that a test writes, and writes anew while the program runs. The head of scripts/fake-nvidia-smi says what each key does. */

import { mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

export const FAKE_NVIDIA_SMI = fileURLToPath(new URL("../../scripts/fake-nvidia-smi", import.meta.url));

export type FakeGpu = Readonly<Record<string, string | number | boolean | readonly Readonly<Record<string, string>>[]>>;

export type FakeApp = {
  readonly gpu: number;
  readonly pid: number;
  readonly process_name: string;
  readonly used_gpu_memory: number | string;
  /** Only while that process is there; its memory then counts in the GPU's memory.used. */
  readonly while_alive?: boolean;
};

export type FakeMode =
  | "ok"
  | "hang"
  | "hang-hard"
  | "flood"
  | "die"
  | "driver-error"
  | "mismatch"
  | "container"
  | "library"
  | "no-devices"
  | "denied"
  | "empty"
  | "cut"
  | "lost-gpu";

export type FakeGpus = {
  readonly mode?: FakeMode;
  readonly profile?: "h100" | "rtx2080s";
  /** One object per GPU: fields of --query-gpu with their units; absent ones are those of an idle one. */
  readonly gpus: readonly FakeGpu[];
  readonly apps?: readonly FakeApp[];
  readonly refuse?: readonly string[];
  readonly old_names?: boolean;
  readonly texts?: readonly string[];
  readonly delay_ms?: number;
  readonly topo_link?: string;
  readonly p2p?: string;
  readonly nvlink?: number;
};

export async function makeTempDir(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "nexadist-test-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** Returns the file's path, for FAKE_NVIDIA_SMI. In a lab's host it is etc/fake-nvidia-smi.json of its disk: `writeControl(join(host.disk, "etc"), …)`. */
export async function writeControl(dir: string, gpus: FakeGpus): Promise<string> {
  const path = join(dir, "fake-nvidia-smi.json");
  await writeFile(`${path}.new`, JSON.stringify(gpus));
  await rename(`${path}.new`, path);
  return path;
}

/** A directory for PATH that holds the program as `nvidia-smi`; it needs a python3 on the rest of PATH. */
export async function fakeSmiOnPath(t: TestContext): Promise<string> {
  const dir = await makeTempDir(t);
  await symlink(FAKE_NVIDIA_SMI, join(dir, "nvidia-smi"));
  return dir;
}
