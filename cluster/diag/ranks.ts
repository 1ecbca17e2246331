/** What a run puts on a host, as far as checks need it. */

import type { HostFacts, HostSpec, RunSpec } from "../spec.ts";

/** Ranks that the host is to run. */
export function ranksOn({ gpus }: HostSpec, facts: HostFacts): number {
  if (gpus.kind === "count") return gpus.count;
  if (gpus.kind === "list") return gpus.ids.length;
  if (gpus.kind === "none") return gpus.slots;
  return facts.gpus?.length ?? 1;
}

export const wantsGpus = ({ gpus }: HostSpec): boolean => gpus.kind !== "none";

/** The job is torch's: else nothing of Python's or torch's is needed. */
export const isTorch = ({ launcher }: RunSpec): boolean => launcher !== "command";
