/** Effects of the whole run whose outcome is one event of it: what diag finds before a launch, claims on GPUs, and what lies between two attempts. */

import type { RunEvent } from "../../cluster/run/events.ts";
import type { Effect } from "../../cluster/run/wanted.ts";
import { claimGpus } from "./claim-gpus.ts";
import { lookFirst } from "./preflight.ts";
import { beginAttempt, diagnose, type RecoveryDeps } from "./recovery.ts";

export type RunEffect = Extract<Effect, { readonly do: "preflight" | "claim" | "begin-attempt" | "diagnose" }>;

export const isOfRun = (effect: Effect): effect is RunEffect => ["preflight", "claim", "begin-attempt", "diagnose"].includes(effect.do);

export function doForRun(effect: RunEffect, deps: RecoveryDeps): Promise<RunEvent> {
  switch (effect.do) {
    case "preflight":
      return lookFirst(deps, effect.hosts);
    case "claim":
      return claimGpus(deps, effect.hosts);
    case "begin-attempt":
      return beginAttempt(deps, effect.attempt, effect.members);
    case "diagnose":
      return diagnose(deps, effect.attempt);
  }
}
