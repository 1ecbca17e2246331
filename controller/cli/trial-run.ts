/** One trial of `diag --full`: a run of its own through the controller, until it is over, with what its ranks said. */

import type { RunEvent } from "../../cluster/run/events.ts";
import { reduce, replay } from "../../cluster/run/reduce.ts";
import { isOver, type RunState } from "../../cluster/run/state.ts";
import type { RunSpec } from "../../cluster/spec.ts";
import type { Lent } from "../../cluster/viewer.ts";
import type { TrialRun } from "../diag/distributed.ts";
import type { Client } from "./client.ts";
import { whoAsks } from "./watch-run.ts";

/** Errors: those of `up`. A signal stops the run. */
export async function runTrial(client: Client, asked: RunSpec, lent: Lent): Promise<TrialRun> {
  const { notify: _, ...spec } = asked;
  const begun = Date.now();
  const lines: { text: string; atMs: number }[] = [];
  const events: RunEvent[] = [];
  let state: RunState | null = null;
  await client.ask({ ask: "up", spec, secrets: {}, lent, by: whoAsks() });
  const stop = (): void =>
    void client.ask({ ask: "stop", run: spec.run, graceMs: 0, by: whoAsks(), why: "the diagnosis was interrupted" }).finally(() => process.exit(130));
  process.once("SIGINT", stop).once("SIGTERM", stop);
  try {
    for await (const item of client.stream({ ask: "watch", run: spec.run, from: 0, logs: true, whole: true })) {
      if (item.kind === "line") lines.push({ text: item.line.text, atMs: Date.now() - begun });
      if (item.kind !== "event") continue;
      events.push(item.event);
      state = state === null ? replay(events) : reduce(state, item.event);
    }
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
    client.close();
  }
  return { lines, failure: failureOf(state) };
}

function failureOf(state: RunState | null): TrialRun["failure"] {
  if (state !== null && isOver(state) && state.phase === "succeeded") return null;
  const failure = state?.failure ?? null;
  if (failure === null) return { code: "", text: state === null ? "nothing was heard of it" : `the run is ${state.phase}`, host: null };
  return { code: failure.problem?.code ?? "", text: failure.text, host: failure.host };
}
