/** What goes into a run's journal: events, and how far each agent's own events are in it. */

import type { RunEvent } from "../../cluster/run/events.ts";
import { reduce } from "../../cluster/run/reduce.ts";
import type { RunState } from "../../cluster/run/state.ts";
import type { Cursor, JournalLine } from "./journal.ts";

export type Entry = { readonly event: RunEvent; readonly cursor?: Cursor };

/** Those that fold, each after the others. One that the fold chokes on is a bug of ours or of an agent's; in the journal it would end every later start too. */
export function foldable(state: RunState, entries: readonly Entry[]): Entry[] {
  let folded = state;
  const last = entries.findLastIndex(({ event }) => event.type === "taken-over");
  return entries.filter(({ event, cursor }, k) => {
    if (k > last && last >= 0 && cursor !== undefined) return false; // comes again: agents tell everything once more after it
    try {
      folded = reduce(folded, event);
      return true;
    } catch (error) {
      console.error("event left out", event, error);
      return false;
    }
  });
}

/** Index of the first event of this host's agent that is not in the journal. The last one counts: an agent that lost its record began anew. */
export function nextAgentEvent(lines: readonly JournalLine[], host: string): number {
  // What agents keep may be older than what is here: after a takeover their events are folded once more, which changes nothing that was known.
  const after = (next: number, { event, cursor }: JournalLine): number => (event.type === "taken-over" ? 0 : cursor?.host === host ? cursor.index + 1 : next);
  return lines.reduce(after, 0);
}

/** The same, and how often that agent had lost events by then. */
export function readFrom(lines: readonly JournalLine[], host: string): { readonly from: number; readonly rebuilt: number } {
  const last = lines.findLast(({ cursor }) => cursor?.host === host);
  return { from: nextAgentEvent(lines, host), rebuilt: last?.cursor?.rebuilt ?? 0 };
}
