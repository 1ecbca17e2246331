/** Who may command a run: authorities are compared as (epoch, controller). Pure. */

import type { Authority } from "../cluster/protocol.ts";

export type Verdict = "ok" | "takes-over" | "fenced" | "unknown-run";

/**
 * `kept` is the authority on record, null when there is none. Only a command that carries the run's record can take over or begin;
 * all others must come from exactly the one on record.
 */
export function admit(kept: Authority | null, asking: Authority, carriesRecord: boolean): Verdict {
  if (kept === null) return carriesRecord ? "takes-over" : "unknown-run";
  if (asking.epoch < kept.epoch) return "fenced";
  if (asking.epoch === kept.epoch) return asking.controller === kept.controller ? "ok" : "fenced";
  return carriesRecord ? "takes-over" : "unknown-run";
}
