/** What the rank or launcher that failed first wrote last: the reason is there more often than not. */

import type { RunState } from "../../cluster/run/state.ts";
import { withoutColour } from "../../cluster/sanitise.ts";
import { displayLine } from "../../cluster/view/lines.ts";
import type { LogQuery } from "../../cluster/viewer.ts";
import type { Client } from "./client.ts";

/** A Python traceback's end, and a line or two of what led there. */
const LINES = 12;

/** Empty when the run did not fail by a process, or it said nothing. */
export async function lastWords(client: Client, state: RunState): Promise<readonly string[]> {
  const { failure } = state;
  if (state.phase !== "failed" || failure === null || failure.host === null || failure.problem !== null) return [];
  const want: LogQuery = {
    hosts: [failure.host],
    ranks: failure.rank === null ? null : [failure.rank],
    streams: [failure.rank === null ? "launcher" : "err"],
    attempt: state.attempt,
    since: null,
    last: LINES,
    follow: false,
  };
  const said: string[] = [];
  try {
    for await (const item of client.stream({ ask: "logs", run: state.spec.run, want }))
      if (item.kind === "line") said.push(withoutColour(displayLine(item.line.text)));
  } catch {
    return []; // the end of the run is told without it
  }
  return said.every((line) => line.trim() === "") ? [] : said;
}
