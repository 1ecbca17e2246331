/** Who uses the GPUs now: processes of others, and memory that nobody admits to. */

import * as z from "zod";
import { numberOf, textOf } from "../../nvidia/gpu-row.ts";
import { smiTrouble } from "../../nvidia/problem.ts";
import { type GpuProcess, readProcesses } from "../../nvidia/processes.ts";
import type { HostSpec } from "../../spec.ts";
import type { HostCheck, HostProbe, Judgement } from "../check.ts";
import { on, steps } from "../cure.ts";
import { cannotSay, failed, jsonOf, notLooked, pass, warn } from "../read.ts";
import { loginShape } from "./access.ts";
import { eachGpu, gpusOf, identityOf, known, told, valueOr } from "./gpu-read.ts";

const owner = z.object({ user: z.string(), uid: z.number(), age: z.number().nullable(), command: z.string(), run: z.string().nullable() });
const appsShape = z.object({ code: z.number(), out: z.string(), err: z.string(), owners: z.record(z.string(), owner.nullable()) });
type Owner = z.infer<typeof owner>;
type Used = GpuProcess & { readonly owner: Owner | null };

/** MiB that an idle GPU may hold for itself and, with a screen, for the desktop. */
const IDLE_MIB = 500;
const DESKTOP_MIB = 2048;

/** Every process that nvidia-smi names. Throws CannotSay where one line of it cannot be read: it may be the one that matters. */
function processesOn(probe: HostProbe): readonly Used[] {
  const { code, out, err, owners } = told(probe, "smi_apps", appsShape);
  const { processes, texts } = readProcesses(out);
  const trouble = smiTrouble("", err, code);
  if (code !== 0 && trouble !== null) throw cannotSay(trouble.says);
  const odd = texts.find((text) => !/Unable to determine the device handle|No running processes found|infoROM/i.test(text));
  if (odd !== undefined) throw cannotSay(`a process that cannot be read: ${odd.slice(0, 100)}`);
  return processes.map((process) => ({ ...process, owner: owners[String(process.pid)] ?? null }));
}

const duration = (s: number): string => (s < 120 ? `${s} s` : s < 7200 ? `${Math.round(s / 60)} min` : `${Math.round(s / 3600)} h`);

function words({ pid, name, memory, owner: who }: Used): string {
  const what = who?.command || ("v" in name ? name.v.split("/").at(-1) : undefined) || "a process";
  const parts = [`pid ${pid}`, who === null ? "not visible from here" : `user ${who.user}`, ...("v" in memory ? [`${memory.v} MiB`] : [])];
  const age = who === null || who.age === null ? "" : `, for ${duration(who.age)}`;
  return `${what} (${parts.join(", ")}${age})`;
}

/** GPUs that the run may get there, by UUID. */
function wanted(probe: HostProbe, host: HostSpec): { readonly uuids: readonly string[]; readonly needed: number } {
  const rows = gpusOf(probe).rows.map((row) => identityOf(row));
  const { gpus } = host;
  if (gpus.kind !== "list") return { uuids: rows.map(({ uuid }) => uuid), needed: gpus.kind === "count" ? gpus.count : 1 };
  const listed = rows.filter((row) => gpus.ids.includes(row.index) || gpus.ids.includes(row.uuid)).map(({ uuid }) => uuid);
  return { uuids: listed, needed: listed.length };
}

function judgeBusy(probe: HostProbe, host: HostSpec): readonly Judgement[] {
  const { rows } = gpusOf(probe);
  const used = processesOn(probe);
  const { uuids, needed } = wanted(probe, host);
  const busy = Map.groupBy(
    used.filter(({ gpu }) => uuids.includes(gpu)),
    ({ gpu }) => gpu,
  );
  if (busy.size === 0) return [pass(`no process on ${uuids.length} GPU${uuids.length === 1 ? "" : "s"}`)];
  const free = uuids.length - busy.size;
  return [...busy].map(([gpu, processes]) => {
    const index = rows.map((row) => identityOf(row)).find(({ uuid }) => uuid === gpu)?.index ?? gpu;
    const runs = [...new Set(processes.map((process) => process.owner?.run ?? null))];
    const [run] = runs;
    const isOurs = runs.length === 1 && run !== null;
    const first = processes[0];
    const others = processes.length > 1 ? ` and ${processes.length - 1} more` : "";
    const fix = isOurs
      ? `nexadist up --wait FILE  # starts when run ${run} is over; to end that: nexadist stop ${run}`
      : `ask ${first?.owner === null ? "who runs it" : first?.owner?.user} to end it, or leave the GPU out (gpus: in the file); nothing of others is ever killed`;
    const observed = `GPU ${index} is used by ${isOurs ? `run ${run}: ` : ""}${first === undefined ? "" : words(first)}${others}`;
    const more = { gpu, words: { index, fix }, ...(processes.length > 1 ? { evidence: processes.slice(0, 4).map(words) } : {}) };
    // `up` waits for a run of ours, or refuses and names it: no fault of the host.
    if (isOurs) return warn(observed, more);
    return free >= needed
      ? warn(`${observed}; ${free} other${free === 1 ? " is" : "s are"} free`, more)
      : failed(observed, { expected: "no process", ...more });
  });
}

function judgeLeaked(probe: HostProbe): readonly Judgement[] {
  const used = processesOn(probe);
  const { container } = jsonOf(probe, "login", loginShape);
  return eachGpu(probe, (row) => {
    const { uuid } = identityOf(row);
    if (valueOr(textOf(row, "mig.mode.current"), "") === "Enabled") throw notLooked("MIG holds memory for its parts");
    const memory = known(numberOf(row, "memory.used"), "its memory");
    const hasScreen = valueOr(textOf(row, "display_active"), "") === "Enabled";
    if (used.some(({ gpu }) => gpu === uuid) || memory <= (hasScreen ? DESKTOP_MIB : IDLE_MIB))
      return pass(`${memory} MiB used${used.some(({ gpu }) => gpu === uuid) ? " by processes" : ""}`);
    const observed = `${memory} MiB are held and no process is named`;
    return container === "" ? failed(observed) : warn(`${observed}: whoever holds them is outside this container`);
  });
}

const base = { group: "gpu", tier: "quick", scope: "host", needs: ["gpu.driver"] } as const;

export const GPU_USE: readonly HostCheck[] = [
  {
    ...base,
    id: "gpu.busy",
    title: "other programs on the GPUs",
    why: "two on one GPU run out of memory, and slow all ranks",
    fix: steps("nexadist up {file} --wait  # starts when they are free", on("nvidia-smi", "who uses them")),
    who: "you",
    verify: on("nvidia-smi"),
    // `up` decides by claims, which see who waits as well.
    isBlocking: false,
    proof: "unproven",
    judge: judgeBusy,
  },
  {
    ...base,
    id: "gpu.leaked_mem",
    title: "GPU memory that no process admits to",
    why: "the run will find less memory than it needs",
    fix: steps(
      on("sudo fuser -v /dev/nvidia*", "names who holds it, often a data loader whose parent died: end that"),
      on("sudo nvidia-smi --gpu-reset -i {index}", "where it is nobody"),
    ),
    who: "root",
    verify: on("nvidia-smi --query-gpu=index,memory.used --format=csv"),
    isBlocking: false,
    proof: "sample",
    judge: judgeLeaked,
  },
];
