/** A run that another controller led is over: a viewer saw it there, and here it is written down, for nobody asks that controller for a list. */

import { isDeepStrictEqual } from "node:util";
import { reduce } from "../../cluster/run/reduce.ts";
import { isOver, type RunState } from "../../cluster/run/state.ts";
import type { Request } from "../../cluster/viewer.ts";
import { writeEvents } from "./first-events.ts";

/** `lost`: the runs that another controller leads. Errors: STATE_WRITE. */
export function noteEnd(lost: Map<string, RunState>, { run, end }: Request & { ask: "ended-elsewhere" }): null {
  const state = lost.get(run);
  if (state?.fenced == null || isOver(state) || isDeepStrictEqual(state.fenced.end, end)) return null;
  const event = { at: Date.now(), type: "ended-elsewhere", ...end } as const;
  writeEvents(run, [event]);
  lost.set(run, reduce(state, event));
  return null;
}
