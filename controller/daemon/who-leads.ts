/** An agent refused us: who leads the run instead, or where it is by now. */

import { keptReply, type RunRecord } from "../../cluster/protocol.ts";
import type { RunEvent } from "../../cluster/run/events.ts";
import type { RecordedState, RunState } from "../../cluster/run/state.ts";
import { isStale, keyOf } from "../../cluster/run/takeover.ts";
import type { AgentLink } from "../reach/link.ts";

/** null: the agent does not say, or it is this very controller. */
export async function whoLeads(link: AgentLink, run: string, own: string): Promise<(RunEvent & { type: "fenced" }) | null> {
  try {
    const { record } = keptReply.parse(await link.command({ do: "read-record", run }));
    if (record.controller === own) return null;
    const { controller, epoch } = record;
    return { at: Date.now(), type: "fenced", controller, machine: machineOf(record.state), epoch };
  } catch {
    return null; // the link went: the next one is refused too
  }
}

/** The takeover begins again from what this agent has on record. null: it does not say. */
export async function takenAgain(link: AgentLink, state: RunState, own: RunRecord): Promise<(RunEvent & { type: "taken-over" }) | null> {
  try {
    const { record } = keptReply.parse(await link.command({ do: "read-record", run: own.run }));
    if (state.takeover === null || !isStale(own, record)) return null;
    const { controller, epoch, machine, spec, takeover } = state;
    const from = { controller: record.controller, machine: machineOf(record.state), epoch: record.epoch };
    const its = record.state as RecordedState;
    return { at: Date.now(), type: "taken-over", spec, state: its, by: takeover.by, controller, machine, epoch, from, base: keyOf(record) };
  } catch {
    return null;
  }
}

/** Of a record's state; "" where it does not say. */
export function machineOf(state: unknown): string {
  const { machine } = (state ?? {}) as Partial<RecordedState>;
  return typeof machine === "string" ? machine : "";
}
