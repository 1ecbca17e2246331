/** Processes on GPUs, of `nvidia-smi --query-compute-apps=… --format=csv,noheader,nounits`. */

import { lackOf, type Reading, readNumber } from "./cell.ts";

/** What to ask: the name comes last, for it may hold the separator. All four are known to every driver. */
export const PROCESS_FIELDS = ["gpu_uuid", "pid", "used_gpu_memory", "process_name"] as const;

export type GpuProcess = {
  /** With MIG: the UUID of the whole GPU. */
  readonly gpu: string;
  readonly pid: number;
  /** MiB. */
  readonly memory: Reading;
  readonly name: Reading<string>;
};

export type GpuProcesses = { readonly processes: readonly GpuProcess[]; readonly texts: readonly string[] };

const HEADER = /^(?:gpu_uuid|pid|used_gpu_memory|used_memory|process_name|name)(?: \[MiB\])?(?:, |$)/;

/** `fields`: what was asked, with process_name (or name) last if at all. */
export function readProcesses(out: string, fields: readonly string[] = PROCESS_FIELDS): GpuProcesses {
  const processes: GpuProcess[] = [];
  const texts: string[] = [];
  for (const raw of out.split("\n")) {
    const line = raw.replace(/\r$/, "");
    if (line.trim() === "" || HEADER.test(line)) continue;
    const process = readProcess(fields, line);
    if (process === null) texts.push(line.trim().slice(0, 500));
    else processes.push(process);
  }
  return { processes, texts };
}

function readProcess(fields: readonly string[], line: string): GpuProcess | null {
  const cells = line.split(", ");
  const isNameLast = ["process_name", "name"].includes(fields.at(-1) ?? "");
  if (isNameLast ? cells.length < fields.length : cells.length !== fields.length) return null;
  const cell = (...names: readonly string[]): string | null => {
    const at = fields.findIndex((field) => names.includes(field));
    if (at < 0) return null;
    return (at === fields.length - 1 ? cells.slice(at).join(", ") : (cells[at] ?? "")).trim();
  };
  const gpu = cell("gpu_uuid") ?? "";
  const pid = cell("pid") ?? "";
  if (!/^(?:GPU|MIG)-[0-9A-Za-z./_-]{1,80}$/.test(gpu) || !/^[1-9]\d{0,9}$/.test(pid)) return null;
  const memory = cell("used_gpu_memory", "used_memory");
  const name = cell("process_name", "name");
  const na = name === null ? "not-asked" : lackOf(name);
  return {
    gpu,
    pid: Number(pid),
    memory: memory === null ? { na: "not-asked" } : readNumber(memory),
    name: na === null && name !== null ? { v: name } : { na: na ?? "not-asked" },
  };
}
