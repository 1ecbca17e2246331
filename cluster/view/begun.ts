/** How far a run is, in the same words for every view of it. */

import { hostsOf, isOver, type RunState } from "../run/state.ts";

const isWaiting = ({ queue, verdict }: RunState): boolean => queue !== null && verdict === null;

export const phaseOf = (state: RunState): RunState["phase"] | "waiting" => (isWaiting(state) ? "waiting" : state.phase);

/** A rank or launcher of the present attempt is known to have started. */
export const hasStarted = (state: RunState): boolean =>
  Object.keys(state.ranks).length > 0 || hostsOf(state).some(({ stage, launcherExit }) => stage === "launched" || launcherExit !== null);

/** An attempt that was kept back, or stopped, before anything of it was started was none. */
export const begunOf = (state: RunState): { readonly attempt: number; readonly ranks: number } =>
  state.attempt === 1 && !hasStarted(state) && (isOver(state) || state.verdict !== null)
    ? { attempt: 0, ranks: 0 }
    : { attempt: state.attempt, ranks: state.world };

/** "attempt 1, 8 ranks"; "nothing was started" before the first. */
export function begunWords(state: RunState): string {
  const { attempt, ranks } = begunOf(state);
  return attempt === 0 ? "nothing was started" : `attempt ${attempt}, ${ranks} rank${ranks === 1 ? "" : "s"}`;
}
