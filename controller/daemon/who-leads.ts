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

/**
 * What this agent has on record is newer than what is known here: the takeover begins again from it; or it is of this very controller, whose
 * journal has then lost its last lines, and the run is taken over as from another one. null: it does not say, or another controller leads.
 */
export async function takenAgain(link: AgentLink, state: RunState, own: RunRecord): Promise<(RunEvent & { type: "taken-over" }) | null> {
  try {
    const { record } = keptReply.parse(await link.command({ do: "read-record", run: own.run }));
    const { controller, epoch, machine, spec, takeover } = state;
    const newest = isStale(own, record) ? record : own;
    const from = { controller: record.controller, machine: machineOf(record.state), epoch: record.epoch };
    const its = { at: Date.now(), type: "taken-over", spec, state: newest.state as RecordedState, controller, machine, from, base: keyOf(newest) } as const;
    if (record.controller === own.controller && record.epoch >= own.epoch && (newest === record || record.epoch > own.epoch)) {
      const mended = `the journal on this machine has lost lines (it has ${own.seq}, ${record.seq} were written)`;
      return { ...its, by: "the controller", epoch: record.epoch + 1, mended };
    }
    return takeover === null || newest === own ? null : { ...its, by: takeover.by, epoch };
  } catch {
    return null;
  }
}

/** Of a record's state; "" where it does not say. */
export function machineOf(state: unknown): string {
  const { machine } = (state ?? {}) as Partial<RecordedState>;
  return typeof machine === "string" ? machine : "";
}
