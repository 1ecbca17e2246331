/** Processes on this host's GPUs, every few seconds, and whose they are: of our runs by their mark or descent, else somebody's. */

import { readFile, stat } from "node:fs/promises";
import { PROCESS_FIELDS, readProcesses } from "../../cluster/nvidia/processes.ts";
import type { GpuProcess } from "../../cluster/telemetry/sample.ts";
import { askProgram } from "./child.ts";
import { repeat } from "./repeat.ts";

const ASK_MS = 4000;
const PROCESSES_MAX = 512;
/** Names of users that are not in /etc/passwd: a directory service may be asked, and may be slow. */
const NAME_MS = 2000;

export type ProcessWatch = { readonly now: () => Record<string, GpuProcess>; readonly close: () => void };
export type Owners = { readonly hasRun: (run: string) => boolean; readonly shims: () => ReadonlyMap<number, string> };

export function watchProcesses(program: () => string | null, owners: Owners, everyMs: number, log: (text: string) => void): ProcessWatch {
  const closing = new AbortController();
  const { signal } = closing;
  const names = new Map<number, string>();
  let found: Record<string, GpuProcess> = {};
  let foundAt = Number.NEGATIVE_INFINITY;

  const look = async (at: string): Promise<void> => {
    const answer = await askProgram(at, [`--query-compute-apps=${PROCESS_FIELDS.join(",")}`, "--format=csv,noheader,nounits"], ASK_MS, signal);
    if (answer.cut !== null || answer.code !== 0) return answer.gone;
    const { processes } = readProcesses(answer.out);
    const entries = await Promise.all(
      processes.slice(0, PROCESSES_MAX).map(async ({ gpu, pid, memory, name }): Promise<[string, GpuProcess]> => {
        const who = await whose(pid, owners, names);
        const own = "v" in name ? { name: name.v.slice(-256) } : {};
        return [`${gpu}/${pid}`, { gpu, pid, ...own, ...("v" in memory ? { memoryMiB: memory.v } : {}), ...who }];
      }),
    );
    found = Object.fromEntries(entries);
    foundAt = performance.now();
  };
  const lookWhenAnswering = async (): Promise<number> => {
    const at = program();
    if (at !== null) await look(at);
    return everyMs;
  };
  repeat(lookWhenAnswering, everyMs, signal, log);
  return { now: () => (performance.now() - foundAt < 3 * everyMs + ASK_MS ? found : {}), close: () => closing.abort() };
}

type Whose = Pick<GpuProcess, "owner"> & { readonly user?: string; readonly run?: string };

async function whose(pid: number, { hasRun, shims }: Owners, names: Map<number, string>): Promise<Whose> {
  const uid = await stat(`/proc/${pid}`).then(
    ({ uid: of }) => of,
    () => null,
  );
  if (uid === null) return { owner: "unknown" }; // gone, or of another PID namespace
  const user = await nameOf(uid, names);
  const environ = await readFile(`/proc/${pid}/environ`, "latin1").catch(() => "");
  const marked = /(?:^|\0)NEXADIST_MARK=[^\0/]*\/([^\0/]+)\//.exec(environ)?.[1];
  const run = marked !== undefined && hasRun(marked) ? marked : await descendedFrom(pid, shims());
  return run === null ? { owner: "foreign", user } : { owner: "ours", user, run };
}

/** A program may have hidden its environment. */
async function descendedFrom(pid: number, shims: ReadonlyMap<number, string>): Promise<string | null> {
  for (let at = pid, depth = 0; at > 1 && depth < 32; depth += 1) {
    const run = shims.get(at);
    if (run !== undefined) return run;
    const text = await readFile(`/proc/${at}/stat`, "latin1").catch(() => "");
    at = Number(text.slice(text.lastIndexOf(")")).split(" ")[2] ?? 0);
  }
  return null;
}

async function nameOf(uid: number, names: Map<number, string>): Promise<string> {
  const known = names.get(uid);
  if (known !== undefined) return known;
  const line = new RegExp(`^([^:\\n]{1,64}):[^:\\n]*:${uid}:`, "m");
  const local = line.exec(await readFile("/etc/passwd", "utf8").catch(() => ""))?.[1];
  const name = local ?? line.exec((await askProgram("getent", ["passwd", String(uid)], NAME_MS)).out)?.[1] ?? `uid ${uid}`;
  names.set(uid, name);
  return name;
}
