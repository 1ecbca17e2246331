/** Hosts that a stop cannot ask: why, what a person can do about it, and how long the stop waits for them. */

import { withFile } from "../../cluster/diag/with-file.ts";
import { hostsOf, isOver, owingHosts, type RunState } from "../../cluster/run/state.ts";
import { sanitiseWord } from "../../cluster/sanitise.ts";
import { aboutHost } from "../../cluster/view/about-host.ts";
import { formatDuration } from "../../cluster/view/duration.ts";
import { whyUnseen } from "../../cluster/view/unseen.ts";

/** Asked for again by hand, a host that answers at all does so within this. */
export const ANSWER_MS = 15_000;
/** What the controller waits beyond the grace. */
const BEYOND_MS = 20_000;

/** Pure: what to say as the stop begins; nothing where every host can be asked. */
export function deafLines(state: RunState, graceMs: number): readonly string[] {
  const deaf = hostsOf(state).filter((host) => !host.seen && host.mayRun);
  if (deaf.length === 0) return [];
  return [
    ...deaf.flatMap((host) => [
      aboutHost(host.name, `cannot be asked now: ${whyUnseen(host)}`),
      ...(host.unseenHint ? [`  try: ${sanitiseWord(withFile(host.unseenHint, state.spec.file))}`] : []),
    ]),
    `it is tried again and waited for, ${formatDuration(graceMs + BEYOND_MS)} at most; what is not ended there by then is, as soon as ${deaf.length === 1 ? "it answers" : "they answer"}`,
  ];
}

/** Reads the run until no host owes an answer any more, or the time is over. */
export async function awaitDebt(read: () => Promise<RunState>, wait: (ms: number) => Promise<unknown>, now = Date.now): Promise<RunState> {
  const until = now() + ANSWER_MS;
  for (;;) {
    const state = await read();
    if (!isOver(state) || owingHosts(state).length === 0 || now() >= until) return state;
    await wait(250);
  }
}
