/** An agent refused us: who leads the run instead. */

import { keptReply } from "../../cluster/protocol.ts";
import type { RunEvent } from "../../cluster/run/events.ts";
import type { RecordedState } from "../../cluster/run/state.ts";
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

/** Of a record's state; "" where it does not say. */
export function machineOf(state: unknown): string {
  const { machine } = (state ?? {}) as Partial<RecordedState>;
  return typeof machine === "string" ? machine : "";
}
