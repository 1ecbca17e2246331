/** A GPU that the run leaves alone keeps nothing back, whatever is wrong with it. */

import type { HostSpec } from "../spec.ts";
import type { Judgement } from "./check.ts";

/** A failure of GPUs that the file does not ask for is a warning. `auto` asks for all. */
export function unlessUsed({ gpus }: HostSpec, judgement: Judgement): Judgement {
  const indices = (judgement.words?.index ?? "").split(",").filter((index) => /^\d+$/.test(index));
  if (judgement.status !== "fail" || indices.length === 0 || gpus.kind === "auto" || gpus.kind === "none") return judgement;
  const isUsed = (index: string): boolean =>
    gpus.kind === "count"
      ? Number(index) < gpus.count
      : gpus.ids.some((id) => id === index || (!/^\d+$/.test(id) && (judgement.gpu === undefined || id === judgement.gpu)));
  return indices.some(isUsed) ? judgement : { ...judgement, status: "warn", observed: `${judgement.observed} (the run does not use it)` };
}
