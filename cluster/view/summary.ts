/** The end of a run in a few lines, and the exit status it gives the command that watched. */

import { EXIT } from "../errors.ts";
import { hostsOf, isOver, type RunState } from "../run/state.ts";
import { sanitiseWord } from "../sanitise.ts";
import { formatDuration } from "./duration.ts";
import { isAllGone, receiptLines } from "./receipt.ts";

/** Errors of the table keep their exit; a stop with a host that could not be asked is 4. */
export function exitOf(state: RunState): number {
  switch (state.phase) {
    case "succeeded":
      return EXIT.ok;
    case "failed":
      return state.failure?.exit ?? EXIT.runFailed;
    case "stopped":
      return isAllGone(state) ? EXIT.stopped : EXIT.unreachable;
    default:
      return EXIT.ok; // not over: detached
  }
}

/** Where a live run stands and how to come back to it. */
export const liveLines = (run: string, phase: string): readonly string[] => [
  `${run} is ${phase} and goes on without this terminal`,
  `  nexadist attach ${run}    nexadist status ${run}    nexadist stop ${run}`,
];

export function summaryLines(state: RunState): readonly string[] {
  if (!isOver(state)) return liveLines(state.spec.run, state.phase);
  const took = state.endedAt === null ? "" : ` after ${formatDuration(state.endedAt - state.requestedAt)}`;
  const why = state.phase === "failed" && state.failure !== null ? `: ${sanitiseWord(state.failure.text)}` : "";
  return [
    ...receiptLines(state),
    `==> ${state.spec.run} ${state.phase}${took}${why}`,
    ...cures(state).map((cure) => `    ${sanitiseWord(cure)}`),
    `    nexadist logs ${state.spec.run}    nexadist status ${state.spec.run}`,
  ];
}

/** What to do about the failure; for each host when several were not reached. */
function cures(state: RunState): readonly string[] {
  if (state.phase !== "failed") return [];
  const refused = hostsOf(state).flatMap(({ name, stage, problem }) => (stage === "refused" && problem !== null ? [{ name, hint: problem.hint }] : []));
  if (state.attempt === 0 && refused.length > 1) return refused.map(({ name, hint }) => `${name}: ${hint}`);
  const hint = state.failure?.problem?.hint ?? "";
  return hint === "" ? [] : [hint];
}
