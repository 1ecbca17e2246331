/** One run as a row of `ps` and `runs`. */

import { owingHosts, type RunState } from "../../cluster/run/state.ts";
import type { RunSummary } from "../../cluster/viewer.ts";

export const summarise = (state: RunState): RunSummary => ({
  run: state.spec.run,
  name: state.spec.name,
  phase: state.phase,
  hosts: state.spec.hosts.length,
  ranks: state.world,
  attempt: state.attempt,
  requestedAt: state.requestedAt,
  endedAt: state.endedAt,
  file: state.spec.file,
  by: state.by,
  failure: state.failure?.text ?? state.trouble?.text ?? null,
  ...(state.queue === null || state.verdict !== null ? {} : { waitsFor: state.queue.busy }),
  ...(owingHosts(state).length === 0 ? {} : { owing: owingHosts(state).map(({ name }) => name) }),
  ...(state.fenced === null ? {} : { ledBy: state.fenced.machine === "" ? state.fenced.controller : state.fenced.machine }),
});
