/** What python/probe_python.py tells of the job's Python and code. */

import * as z from "zod";
import type { HostProbe } from "../check.ts";
import { cannotSay, jsonOf } from "../read.ts";

const python = z.object({
  executable: z.string(),
  /** What ranks are started with: what the file names, else the one on the PATH. A wrapper starts another `executable`. */
  path: z.string().optional(),
  version: z.string().regex(/^\d+\.\d+\.\d+$/),
  prefix: z.string(),
  /** It is the one that `setup` chose. */
  isAfterSetup: z.boolean().optional(),
  packages: z.record(z.string(), z.string().nullable()).nullable(),
  torch: z
    .object({
      path: z.string(),
      version: z.string().nullable(),
      cuda: z.string().nullable(),
      hip: z.string().nullable(),
      git: z.string().nullable(),
      hasCudaLibrary: z.boolean(),
    })
    .nullable(),
  torchProblem: z.string().optional(),
});
export type JobPython = z.infer<typeof python>;

/** Throws CannotSay. */
export const jobPython = (probe: HostProbe): JobPython => jsonOf(probe, "python", python);

const code = z.object({
  dir: z.string().nullable(),
  isThere: z.boolean().optional(),
  commit: z.string().nullable().optional(),
  changes: z.string().nullable().optional(),
  files: z.record(z.string(), z.string()).optional(),
});
export type JobCode = z.infer<typeof code>;
export const jobCode = (probe: HostProbe): JobCode => jsonOf(probe, "code", code);

/** "2.13.0+cu126" in parts. Throws CannotSay. */
export function torchVersion(text: string): { readonly major: number; readonly minor: number; readonly patch: string; readonly local: string } {
  const found = /^(\d+)\.(\d+)(?:\.([\w.]+?))?(?:\+([\w.]+))?$/.exec(text);
  if (found === null) throw cannotSay(`torch's version is not understood: ${text.slice(0, 40)}`);
  return { major: Number(found[1]), minor: Number(found[2]), patch: found[3] ?? "", local: found[4] ?? "" };
}

/** The version that the metadata of the package or its own file names; null: not installed. */
export const torchOf = ({ torch, packages }: JobPython): string | null => torch?.version ?? packages?.torch ?? null;

/** "nvidia-nccl-cu12==2.27.5", as pip takes it; null: none is installed as a package. */
export function ncclOf({ packages }: JobPython): string | null {
  const found = Object.entries(packages ?? {}).find(([name, version]) => /^nvidia-nccl(-cu\d+)?$/.test(name) && version !== null);
  return found === undefined ? null : `${found[0]}==${found[1]}`;
}

/** Where the job's Python is, for commands that use it. */
export function pythonPath(probe: HostProbe): string {
  try {
    const { path, executable } = jobPython(probe);
    return path ?? executable;
  } catch {
    return probe.facts.python?.path ?? "python";
  }
}
