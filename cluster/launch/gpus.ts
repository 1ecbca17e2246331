/** Which GPUs of a host an attempt uses, and so how many ranks the host gets. */

import { CURES } from "../diag/checks/driver-cures.ts";
import { cureText } from "../diag/cure.ts";
import { fail, NexaError, type Problem, toProblem } from "../errors.ts";
import { type SmiProblem, smiTrouble } from "../nvidia/problem.ts";
import type { GpuRequest, HostFacts, HostSpec } from "../spec.ts";
import type { ChosenGpu, PlanVar } from "./types.ts";

export type GpuPick = { readonly gpus: readonly ChosenGpu[]; readonly nproc: number; readonly named: "index" | "uuid" };
export type GpuChoice = ({ readonly ok: true } & GpuPick) | { readonly ok: false; readonly problem: Problem };

/** pickGpus with the refusal as data. */
export function chooseGpus(
  request: GpuRequest,
  facts: HostFacts | null,
  host: string,
  claimed: readonly string[] | null = null,
  hosts: readonly HostSpec[] = [],
): GpuChoice {
  try {
    return { ok: true, ...pickGpus(request, facts, host, claimed, hosts) };
  } catch (error) {
    if (error instanceof NexaError) return { ok: false, problem: toProblem(error, host) };
    throw error;
  }
}

/** `facts` null: the host was not asked; then only the request's own numbers count. `claimed`: UUIDs of those that are the run's; null: not known. `hosts`: as the file reaches them, for the cure. Errors: NO_GPUS, GPU_COUNT, GPU_UNKNOWN, GPU_TWICE, HOST_NOT_ASKED. */
export function pickGpus(
  request: GpuRequest,
  facts: HostFacts | null,
  host: string,
  claimed: readonly string[] | null = null,
  hosts: readonly HostSpec[] = [],
): GpuPick {
  if (request.kind === "none") return { gpus: [], nproc: request.slots, named: "index" };
  const wanted = request.kind === "count" ? request.count : request.kind === "list" ? request.ids.length : null;
  if (facts === null) {
    if (wanted === null) throw fail("HOST_NOT_ASKED", { host, what: "how many GPUs it has (`gpus: auto`)" });
    return { gpus: [], nproc: wanted, named: "index" };
  }
  const present = claimed === null ? facts.gpus : (facts.gpus?.filter(({ uuid }) => claimed.includes(uuid)) ?? null);
  if (present === null || (wanted === null && present.length === 0)) {
    const broken = present === null ? brokenDriver(facts.gpuProblem) : null;
    const why =
      broken !== null
        ? `its NVIDIA driver does not work (${facts.gpuProblem})`
        : present === null
          ? facts.gpuProblem || "nvidia-smi not found"
          : "nvidia-smi shows no GPU";
    const [fix] = broken === null ? [] : cureText(CURES[broken], { host }, hosts).split("\n");
    throw fail("NO_GPUS", { host, why, wanted: wanted ?? "all its", slots: wanted ?? 1, fix });
  }
  const there = present.length === 0 ? "none" : present.map((gpu) => `${gpu.index} (${gpu.name})`).join(", ");
  if (request.kind === "auto") return { gpus: present.map(asChosen), nproc: present.length, named: "index" };
  if (request.kind === "count") {
    if (request.count > present.length) throw fail("GPU_COUNT", { host, wanted: request.count, have: present.length, there });
    return { gpus: present.slice(0, request.count).map(asChosen), nproc: request.count, named: "index" };
  }
  const gpus: ChosenGpu[] = [];
  for (const id of request.ids) {
    const found = present.find((gpu) => gpu.uuid === id || String(gpu.index) === id);
    if (found === undefined && !id.startsWith("MIG-")) throw fail("GPU_UNKNOWN", { host, id, there });
    const gpu = found === undefined ? { index: null, uuid: id } : asChosen(found);
    if (gpus.some((other) => other.uuid === gpu.uuid)) throw fail("GPU_TWICE", { host, id });
    gpus.push(gpu);
  }
  return { gpus, nproc: gpus.length, named: request.ids.every((id) => /^\d+$/.test(id)) ? "index" : "uuid" };
}

/** null: there is none to be broken. */
function brokenDriver(problem: string): SmiProblem | null {
  if (/no answer within/.test(problem)) return "hung";
  return problem.startsWith("nvidia-smi: ") ? (smiTrouble("", problem, 1)?.kind ?? null) : null;
}

const asChosen = ({ index, uuid }: { readonly index: number; readonly uuid: string }): ChosenGpu => ({ index, uuid });

/** CUDA_VISIBLE_DEVICES where the ranks must not see every GPU in its own order. */
export function gpuVars(choice: GpuPick, request: GpuRequest, facts: HostFacts | null, hideAll: boolean): PlanVar[] {
  if (request.kind === "none" || hideAll) return [{ name: "CUDA_VISIBLE_DEVICES", value: "", reason: "CPU ranks: no GPU of the host is touched" }];
  if (facts === null && request.kind === "list") return devices(request.ids, "the file lists these GPUs");
  if (request.kind !== "list" && choice.gpus.length === (facts?.gpus?.length ?? choice.gpus.length)) return [];
  if (choice.named === "uuid") {
    return devices(
      choice.gpus.map((gpu) => gpu.uuid),
      "the file lists these GPUs",
    );
  }
  return devices(
    choice.gpus.map((gpu) => String(gpu.index)),
    request.kind === "list"
      ? "the file lists these GPUs"
      : request.kind === "auto"
        ? `${choice.nproc} of the ${facts?.gpus?.length ?? "?"} GPUs were free`
        : `the file asks for ${choice.nproc} of the ${facts?.gpus?.length ?? "?"} GPUs`,
  );
}

function devices(ids: readonly string[], reason: string): PlanVar[] {
  const order: PlanVar = { name: "CUDA_DEVICE_ORDER", value: "PCI_BUS_ID", reason: "indices mean what nvidia-smi shows; CUDA's own order is fastest first" };
  const visible: PlanVar = { name: "CUDA_VISIBLE_DEVICES", value: ids.join(","), reason };
  return ids.some((id) => /^\d+$/.test(id)) ? [order, visible] : [visible];
}
