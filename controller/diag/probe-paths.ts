/** The directories of a host that a run reads and writes, by the word that checks use for them. */

import type { HostSpec, RunSpec } from "../../cluster/spec.ts";

export function pathsOf({ paths, code }: RunSpec, host: HostSpec): Readonly<Record<string, string>> {
  const named = { ...paths, ...(code.kind === "in-place" ? { code: host.workdir ?? code.dir } : {}) };
  return { home: "", state: ".local/state/nexadist", tmp: "/tmp", shm: "/dev/shm", cache: host.env.HF_HOME ?? ".cache/huggingface", ...named };
}

/** Those that a run must be able to write to. */
export const writesOf = ({ paths }: RunSpec): readonly string[] => ["state", "tmp", ...Object.keys(paths)];
