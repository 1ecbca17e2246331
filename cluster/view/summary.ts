/** The end of a run in a few lines, and the exit status it gives the command that watched. */

import { withFile } from "../diag/with-file.ts";
import { EXIT } from "../errors.ts";
import { hostsOf, isOver, owingHosts, type RunState } from "../run/state.ts";
import { sanitiseWord } from "../sanitise.ts";
import { formatDuration } from "./duration.ts";
import { firstLine, furtherLines } from "./paragraph.ts";
import { isAllGone, receiptLines } from "./receipt.ts";

/**
 * Errors of the table keep their exit; an end after which a host may still hold something of ours, or could not be asked, is 4.
 * `isLeft`: the person left a run that goes on; without that, a watch that ended before the run is no success.
 */
export function exitOf(state: RunState | null, isLeft = false): number {
  switch (state?.phase) {
    case "succeeded":
      return isAllGone(state) ? EXIT.ok : EXIT.unreachable;
    case "failed":
      return state.failure?.exit ?? EXIT.runFailed;
    case "stopped":
      return isAllGone(state) ? EXIT.stopped : EXIT.unreachable;
    default:
      return isLeft ? EXIT.ok : EXIT.controllerLost; // not over
  }
}

/** Where a live run stands and how to come back to it. */
export const liveLines = (run: string, phase: string): readonly string[] => [
  `${run} is ${phase} and goes on without this terminal`,
  `  nexadist attach ${run}    nexadist status ${run}    nexadist stop ${run}`,
];

/** `words`: the last lines of the rank or launcher that failed first. */
export function summaryLines(state: RunState, words: readonly string[] = []): readonly string[] {
  if (!isOver(state)) return liveLines(state.spec.run, state.phase);
  const took = state.endedAt === null ? "" : ` after ${formatDuration(state.endedAt - state.requestedAt)}`;
  const why = state.phase === "failed" && state.failure !== null ? `: ${sanitiseWord(firstLine(state.failure.text))}` : "";
  const owing = owingHosts(state).map(({ name }) => sanitiseWord(name));
  return [
    ...receiptLines(state),
    `==> ${state.spec.run} ${state.phase}${took}${owing.length === 0 ? "" : `, owing: ${owing.join(", ")} could not be asked`}${why}`,
    ...(why === "" ? [] : furtherLines(state.failure?.text ?? "").map(sanitiseWord)),
    ...lastWords(state, words),
    ...[...cures(state), ...cureOfDebt(state)].map((cure) => `    try: ${sanitiseWord(withFile(cure, state.spec.file))}`),
    `    nexadist logs ${state.spec.run}    nexadist status ${state.spec.run}`,
  ];
}

function lastWords({ failure, spec }: RunState, words: readonly string[]): readonly string[] {
  if (failure === null || words.every((line) => line.trim() === "")) return [];
  const who = failure.rank === null ? `${spec.launcher} on ${failure.host ?? "a host"}` : `rank ${failure.rank}`;
  return [`    last lines of ${sanitiseWord(who)}:`, ...words.map((line) => `      ${line}`)];
}

/** What to do about the failure; for each host when several were not reached. */
function cures(state: RunState): readonly string[] {
  if (state.phase !== "failed") return [];
  const refused = hostsOf(state).flatMap(({ name, stage, problem }) => (stage === "refused" && problem !== null ? [{ name, hint: problem.hint }] : []));
  if (state.attempt === 0 && refused.length > 1) return refused.map(({ name, hint }) => `${name}: ${hint}`);
  const hint = state.failure?.problem?.hint ?? "";
  return hint === "" ? [] : [hint];
}

/** What keeps hosts from being asked is mended there; the stop itself is asked for again by hand or by itself. */
function cureOfDebt(state: RunState): readonly string[] {
  return owingHosts(state).flatMap(({ name, unseenHint = "" }) => (unseenHint === "" ? [] : [`${name}: ${unseenHint}; then: nexadist stop ${state.spec.run}`]));
}
