/** Why a shim did not arm, as an error with its cure. */

import { fail } from "../cluster/errors.ts";
import type { Agent } from "./agent-state.ts";

export const armFailure = (agent: Agent, attempt: number, code: string, text: string): Error =>
  code === "PORT_BUSY" ? portBusy(agent, text) : code === "GPU_BUSY" ? fail("GPUS_TAKEN", { text }) : fail("ARM_FAILED", { attempt, why: text });

/** The event that a shim which could not arm says last; null: it said something else. */
export function readArmFailed(out: string): { readonly code: string; readonly text: string } | null {
  try {
    const event = JSON.parse(out.trim().split("\n").at(-1) ?? "") as { type?: unknown; code?: unknown; text?: unknown } | null;
    return event?.type === "arm-failed" ? { code: String(event.code), text: String(event.text) } : null;
  } catch {
    return null;
  }
}

/** The lock of a port holds the mark of the attempt that has it: a run of ours is called by its name. */
function portBusy(agent: Agent, text: string): Error {
  const [, port, run = ""] = /^port (\d+) is held by another nexadist attempt here \([^/ ]+\/([^/ ]+)\/\d+\//.exec(text) ?? [];
  if (port === undefined) return fail("PORT_BUSY", { text });
  const spec = agent.runs.get(run)?.record?.spec;
  const name = typeof spec === "object" && spec !== null && "name" in spec && typeof spec.name === "string" && spec.name !== run ? spec.name : "";
  return fail("PORT_BUSY", { text: `port ${port} is used by your run ${name === "" ? run : `${name} (${run})`}`, run });
}
