/** What agents keep of a run so that another machine can take it over. Without what a look at the hosts finds again: with 64 hosts it would not fit a frame. */

import type { RunRecord } from "../protocol.ts";
import type { RunState } from "./state.ts";

export function recordOf(state: RunState, controller: string, seq: number): RunRecord {
  const { spec, ...rest } = state;
  const hosts = Object.fromEntries(Object.entries(state.hosts).map(([name, host]) => [name, { ...host, facts: null, sessionNames: [] }]));
  return { run: spec.run, epoch: Math.max(1, state.epoch), controller, seq, spec, state: { ...rest, hosts } };
}
