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

const HEADER = /^(?:(?:timestamp|gpu_name|gpu_bus_id|gpu_serial|gpu_uuid|pid|process_name|name|used_gpu_memory|used_memory)(?: \[MiB\])?(?:, |$))+$/;
const NAMES: readonly string[] = ["process_name", "name"];

/** `fields`: what was asked, where no header says so. */
export function readProcesses(out: string, fields: readonly string[] = PROCESS_FIELDS): GpuProcesses {
  const processes: GpuProcess[] = [];
  const texts: string[] = [];
  let asked = fields;
  for (const raw of out.split("\n")) {
    const line = raw.replace(/\r$/, "");
    if (line.trim() === "") continue;
    if (HEADER.test(line)) {
      asked = line.split(", ").map((name) => name.replace(/ \[.*/, ""));
      continue;
    }
    const process = readProcess(asked, line);
    if (process === null) texts.push(line.trim().slice(0, 500));
    else processes.push(process);
  }
  return { processes, texts };
}

/** A cell for each field; what is too much belongs to the name. */
function cellsOf(fields: readonly string[], line: string): readonly string[] | null {
  const parts = line.split(", ");
  const at = fields.findIndex((field) => NAMES.includes(field));
  const more = parts.length - fields.length;
  if (more === 0) return parts;
  if (more < 0 || at < 0) return null;
  return [...parts.slice(0, at), parts.slice(at, at + more + 1).join(", "), ...parts.slice(at + more + 1)];
}

function readProcess(fields: readonly string[], line: string): GpuProcess | null {
  const cells = cellsOf(fields, line);
  if (cells === null) return null;
  const cell = (...names: readonly string[]): string | null => {
    const at = fields.findIndex((field) => names.includes(field));
    return at < 0 ? null : (cells[at] ?? "").trim();
  };
  const gpu = cell("gpu_uuid") ?? "";
  const pid = cell("pid") ?? "";
  if (!/^(?:GPU|MIG)-[0-9A-Za-z./_-]{1,80}$/.test(gpu) || !/^[1-9]\d{0,9}$/.test(pid)) return null;
  const memory = cell("used_gpu_memory", "used_memory");
  const name = cell(...NAMES);
  const na = name === null ? "not-asked" : lackOf(name);
  return {
    gpu,
    pid: Number(pid),
    memory: memory === null ? { na: "not-asked" } : readNumber(memory),
    name: na === null && name !== null ? { v: name } : { na: na ?? "not-asked" },
  };
}
