/** Before `up -d` leaves: GPUs that are busy, or anything else that ends the run before, are told to whoever asked, and not found in a log later. */

import { isFirst, reduce, start } from "../../cluster/run/reduce.ts";
import { isOver, type RunState } from "../../cluster/run/state.ts";
import type { RunSpec } from "../../cluster/spec.ts";
import { exitOf, summaryLines } from "../../cluster/view/summary.ts";
import type { Client } from "./client.ts";
import type { Context } from "./context.ts";

/** A host that is set up for the first time takes longer: then the run is left to itself. */
const LIMIT_MS = 30_000;

const claimsGpus = ({ hosts }: RunSpec): boolean => hosts.some(({ gpus }) => gpus.kind !== "none");

/** The exit status of a run that was refused, after it was told why; null: it has its GPUs, waits for them, or is not as far yet. */
export async function awaitGpus(context: Context, client: Client, run: string, spec: RunSpec): Promise<number | null> {
  if (!claimsGpus(spec)) return null;
  const enough = new AbortController();
  const timer = setTimeout(() => enough.abort(), LIMIT_MS);
  let state: RunState | null = null;
  try {
    for await (const item of client.stream({ ask: "watch", run, from: 0, logs: false }, enough.signal)) {
      if (item.kind !== "event") continue;
      state = state === null ? (isFirst(item.event) ? start(item.event) : null) : reduce(state, item.event);
      if (state !== null && (state.claimedAt !== null || state.queue !== null || isOver(state))) break;
    }
  } finally {
    clearTimeout(timer);
  }
  if (state === null || !isOver(state)) return null;
  if (context.json) context.printJson({ run, phase: state.phase, failure: state.failure, exit: exitOf(state) });
  else for (const line of summaryLines(state)) context.say(line);
  return exitOf(state);
}
