/** The fold's arms for what goes wrong: the end of the run, or of the attempt. */

import { EXIT, type Problem } from "../errors.ts";
import { type Failure, isOver, type RunState, type Trouble } from "./state.ts";

/** The first failure wins; a failure after a wanted stop or a success changes nothing. */
export function failed(state: RunState, failure: Failure): RunState {
  if (state.failure !== null || state.verdict !== null || isOver(state)) return state;
  return { ...state, failure, verdict: "failed" };
}

/** What ends the attempt, not yet the run: the first of it counts. */
export function troubled(state: RunState, trouble: Trouble): RunState {
  const isUnderWay = state.attempt > 0 && ["arming", "launching", "running", "stopping"].includes(state.phase);
  return !isUnderWay || state.trouble !== null || state.verdict !== null ? state : { ...state, trouble };
}

export const isCurrent = (state: RunState, name: string): boolean => state.members.includes(name) && state.hosts[name]?.attempt === state.attempt;

export const exitOf = (problem: Problem): number => (problem.code === "BUG" ? EXIT.bug : problem.exit);
