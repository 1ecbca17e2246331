/** After a takeover all logs are fetched anew: to people who watch they are no news. */

import { FRAME_DATA } from "../../cluster/protocol.ts";
import type { JournalLine } from "./journal.ts";

export type CatchUp = (host: string, stream: string, bytes: number) => boolean;

/** Gives whether these bytes were written before: up to the first frame of a stream that is not full, which is where its file ended then. */
export function catchUp(lines: readonly JournalLine[], attempt: number): CatchUp {
  const isFresh = lines.length === 1 && lines[0]?.event.type === "taken-over";
  const caughtUp = new Set<string>();
  return (host, stream, bytes) => {
    const key = `${host} ${stream}`;
    if (!isFresh || caughtUp.has(key) || Number(/^a(\d+)\//.exec(stream)?.[1] ?? 0) > attempt) return false;
    if (bytes < FRAME_DATA) caughtUp.add(key);
    return true;
  };
}
