/** Which GPUs of a host an attempt uses, and so how many ranks the host gets. */

import { fail, type NexaError } from "../errors.ts";
import type { GpuRequest, HostFacts } from "../spec.ts";
import type { ChosenGpu, PlanVar } from "./types.ts";

export type GpuChoice =
  | { readonly ok: true; readonly gpus: readonly ChosenGpu[]; readonly nproc: number; readonly named: "index" | "uuid" }
  | { readonly ok: false; readonly error: NexaError };

/** `facts` null: the host was not asked; then only the request's own numbers count. */
export function chooseGpus(request: GpuRequest, facts: HostFacts | null, host: string): GpuChoice {
  const refuse = (error: NexaError): GpuChoice => ({ ok: false, error });
  if (request.kind === "none") return { ok: true, gpus: [], nproc: request.slots, named: "index" };
  if (facts === null) {
    if (request.kind === "auto") return refuse(fail("HOST_NOT_ASKED", { host, what: "how many GPUs it has (`gpus: auto`)" }));
    const nproc = request.kind === "count" ? request.count : request.ids.length;
    return { ok: true, gpus: [], nproc, named: "index" };
  }
  const wanted = request.kind === "count" ? request.count : request.kind === "list" ? request.ids.length : null;
  if (facts.gpus === null)
    return refuse(fail("NO_GPUS", { host, why: facts.gpuProblem || "nvidia-smi not found", wanted: wanted ?? "all", slots: wanted ?? 1 }));
  const present = facts.gpus;
  const there = present.length === 0 ? "none" : present.map((gpu) => `${gpu.index} (${gpu.name})`).join(", ");
  if (request.kind === "auto") {
    if (present.length === 0) return refuse(fail("NO_GPUS", { host, why: "nvidia-smi shows none", wanted: "all", slots: 1 }));
    return { ok: true, gpus: present, nproc: present.length, named: "index" };
  }
  if (request.kind === "count") {
    if (request.count > present.length) return refuse(fail("GPU_COUNT", { host, wanted: request.count, have: present.length, there }));
    return { ok: true, gpus: present.slice(0, request.count), nproc: request.count, named: "index" };
  }
  const gpus: ChosenGpu[] = [];
  for (const id of request.ids) {
    const found = present.find((gpu) => gpu.uuid === id || String(gpu.index) === id);
    if (found === undefined && !id.startsWith("MIG-")) return refuse(fail("GPU_UNKNOWN", { host, id, there }));
    const gpu = found ?? { index: null, uuid: id };
    if (gpus.some((other) => other.uuid === gpu.uuid)) return refuse(fail("GPU_TWICE", { host, id }));
    gpus.push(gpu);
  }
  const named = request.ids.every((id) => /^\d+$/.test(id)) ? "index" : "uuid";
  return { ok: true, gpus, nproc: gpus.length, named };
}

/** CUDA_VISIBLE_DEVICES where the ranks must not see every GPU in its own order. */
export function gpuVars(choice: Extract<GpuChoice, { ok: true }>, request: GpuRequest, facts: HostFacts | null, hideAll: boolean): PlanVar[] {
  if (request.kind === "none" || hideAll) return [{ name: "CUDA_VISIBLE_DEVICES", value: "", reason: "CPU ranks: no GPU of the host is touched" }];
  if (facts === null && request.kind === "list") return devices(request.ids, "the file lists these GPUs");
  if (request.kind === "count" && choice.gpus.length === (facts?.gpus?.length ?? choice.gpus.length)) return [];
  if (request.kind === "auto") return [];
  if (choice.named === "uuid") {
    return devices(
      choice.gpus.map((gpu) => gpu.uuid),
      "the file lists these GPUs",
    );
  }
  return devices(
    choice.gpus.map((gpu) => String(gpu.index)),
    request.kind === "list" ? "the file lists these GPUs" : `the file asks for ${choice.nproc} of the ${facts?.gpus?.length ?? "?"} GPUs`,
  );
}

function devices(ids: readonly string[], reason: string): PlanVar[] {
  const order: PlanVar = { name: "CUDA_DEVICE_ORDER", value: "PCI_BUS_ID", reason: "indices mean what nvidia-smi shows; CUDA's own order is fastest first" };
  const visible: PlanVar = { name: "CUDA_VISIBLE_DEVICES", value: ids.join(","), reason };
  return ids.some((id) => /^\d+$/.test(id)) ? [order, visible] : [visible];
}
