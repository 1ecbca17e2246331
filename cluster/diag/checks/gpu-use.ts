/** Who uses the GPUs now: processes of others, and memory that nobody admits to. */

import * as z from "zod";
import type { Keeper } from "../../claims/claim.ts";
import { keeperWords } from "../../claims/words.ts";
import { quote } from "../../launch/quote.ts";
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

const card = z.object({ run: z.string(), name: z.string(), user: z.string(), by: z.string(), gpus: z.array(z.string()), isWaiting: z.boolean() });
const claimsShape = z.object({
  cards: z.array(card),
  locked: z.record(z.string(), z.object({ pid: z.number().optional(), user: z.string().optional() })),
});

/** GPUs that the run may get there, by UUID. */
function wanted(probe: HostProbe, host: HostSpec): { readonly uuids: readonly string[]; readonly needed: number } {
  const rows = gpusOf(probe).rows.map((row) => identityOf(row));
  const { gpus } = host;
  if (gpus.kind !== "list") return { uuids: rows.map(({ uuid }) => uuid), needed: gpus.kind === "count" ? gpus.count : 1 };
  const listed = rows.filter((row) => gpus.ids.includes(row.index) || gpus.ids.includes(row.uuid)).map(({ uuid }) => uuid);
  return { uuids: listed, needed: listed.length };
}

/** Without a card of its own, a process of a run is that run all the same. */
function ofProcess({ pid, name, memory, owner: who }: Used, gpu: number): Keeper {
  const user = who?.user ?? null;
  if (who?.run) return { kind: "run", gpu, run: who.run, name: "", user };
  const process = who?.command || ("v" in name ? name.v.split("/").at(-1) : undefined) || "a process";
  return { kind: "process", gpu, pid, process, user, memoryMiB: "v" in memory ? memory.v : null };
}

type Card = z.infer<typeof card>;
const runOf = (kind: "run" | "queue", { run, name, user, by }: Card) => ({ kind, run, name, user, by });

/** What ends it: for whoever has it, and for whoever waits. */
function cureOf(keepers: readonly Keeper[], user: string): string {
  const [run] = keepers.flatMap((one) => (one.kind === "run" || one.kind === "queue" ? [one] : []));
  const [foreign] = keepers.flatMap((one) => (one.kind === "process" ? [one] : []));
  return steps(
    "nexadist up {file} --wait  # starts it when they are free",
    ...(run === undefined ? [] : [`nexadist stop ${quote(run.run)}  # ends that run${run.user === user ? "" : `: ask ${run.user ?? "its owner"}`}`]),
    ...(foreign === undefined
      ? []
      : [
          foreign.pid !== null && foreign.user === user
            ? on(`kill ${foreign.pid}`, "it is of your user")
            : `# or ask ${foreign.user ?? "who runs it"} to end it, or leave the GPU out (gpus: in the file)`,
        ]),
  );
}

function judgeBusy(probe: HostProbe, host: HostSpec, mine: string): Judgement {
  const { uuids, needed } = wanted(probe, host);
  const indices = new Map(gpusOf(probe).rows.map((row) => [identityOf(row).uuid, Number(identityOf(row).index)]));
  const used = processesOn(probe);
  const { cards, locked } = jsonOf(probe, "gpu_claims", claimsShape);
  const others = cards.filter(({ run }) => run !== mine);
  const keepersOf = (uuid: string): readonly Keeper[] => {
    const gpu = indices.get(uuid) ?? 0;
    const claim = cards.find(({ gpus }) => gpus.includes(uuid));
    if (claim !== undefined) return claim.run === mine ? [] : [{ ...runOf("run", claim), gpu }];
    const running = used.filter((process) => process.gpu === uuid).map((process) => ofProcess(process, gpu));
    const holder = locked[uuid.replace(/[^A-Za-z0-9-]/g, "_").slice(0, 100)];
    const isOurs = running.some((one) => one.kind === "run" && one.run === mine);
    if (running.length > 0 || holder === undefined) return isOurs ? [] : running;
    return [{ kind: "lock", gpu, ...(holder.pid === undefined ? {} : { pid: holder.pid }), user: holder.user ?? null }];
  };
  const busy = uuids.map(keepersOf).filter((keepers) => keepers.length > 0);
  // Whoever asks now comes after everybody who waits.
  const ahead = others.filter(({ isWaiting }) => isWaiting).map((one): Keeper => runOf("queue", one));
  const keepers = [...busy.flat(), ...ahead];
  if (keepers.length === 0) return pass(`${uuids.length} GPU${uuids.length === 1 ? "" : "s"}, nobody has any`);
  const free = uuids.length - busy.length;
  const observed = `${free} of ${uuids.length} free; ${keeperWords(keepers)}`;
  const more = { words: { fix: cureOf(keepers, probe.facts.user) } };
  return free >= needed && ahead.length === 0 ? warn(observed, more) : failed(observed, { expected: `${needed} free`, ...more });
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
    title: "who uses the GPUs",
    why: "two on one GPU run out of memory, and slow all ranks",
    fix: steps("nexadist up {file} --wait  # starts when they are free", on("nvidia-smi", "who uses them")),
    who: "you",
    verify: on("nvidia-smi"),
    isBlocking: true,
    proof: "broken",
    judge: (probe, host, { spec }) => judgeBusy(probe, host, spec.run),
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
