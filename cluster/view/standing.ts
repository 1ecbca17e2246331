/** Where a run in trouble stands: what ended the attempt, and what comes next. */

import { decide } from "../run/policy.ts";
import { blockersOf, findingWords } from "../run/preflight.ts";
import type { RunState } from "../run/state.ts";
import { sanitiseWord } from "../sanitise.ts";
import { formatDuration } from "./duration.ts";
import { firstLine } from "./paragraph.ts";

export function standingLines(state: RunState, now: number): readonly string[] {
  return [...troubleLines(state, now), ...queueLines(state, now), ...pastLines(state), ...forcedLines(state)];
}

const forcedLines = ({ preflight, spec }: RunState): readonly string[] =>
  spec.isForced === true ? blockersOf(preflight?.findings ?? []).map((one) => `started by --force in spite of ${sanitiseWord(findingWords(one))}`) : [];

/** Earlier attempts that are told, each with what ended it, the latest first: where there is room for few rows they are those of now. */
const PAST = 5;

function pastLines({ past, attempt }: RunState): readonly string[] {
  const before = past.filter((one) => one.attempt < attempt);
  const hidden = before.length - PAST;
  return [
    ...before
      .slice(-PAST)
      .toReversed()
      .map((one) => `attempt ${one.attempt} (${one.world} rank${one.world === 1 ? "" : "s"}) ended: ${sanitiseWord(firstLine(one.cause.text))}`),
    ...(hidden > 0 ? [`${hidden} earlier attempt${hidden === 1 ? "" : "s"}: nexadist status --json`] : []),
  ];
}

/** Why it waits, host by host. */
function queueLines({ queue, verdict }: RunState, now: number): readonly string[] {
  if (queue === null || verdict !== null) return [];
  const busy = Object.entries(queue.busy).map(([host, who]) => `  ${sanitiseWord(host)}: ${sanitiseWord(who)}`);
  return [`waiting for GPUs for ${formatDuration(now - queue.since)}:`, ...busy];
}

function troubleLines(state: RunState, now: number): readonly string[] {
  if (state.failure !== null || state.trouble === null) return [];
  const why = `attempt ${state.attempt}: ${sanitiseWord(state.cause?.text ?? state.trouble.text)}`;
  return state.phase === "recovering" ? [why, nextStep(state, now)] : [why];
}

function nextStep(state: RunState, now: number): string {
  const decision = decide(state);
  if (decision.go !== "again") return `next: ${sanitiseWord(decision.text)}`;
  const waitS = Math.max(0, (state.recoverAt ?? now) - now) / 1000;
  const members = decision.members.map((name) => sanitiseWord(name)).join(", ");
  return `next: attempt ${state.attempt + 1}${waitS < 1 ? "" : ` in ${Math.round(waitS)} s`} on ${members}; ${budgetWords(state)}`;
}

export const budgetWords = ({ spent, spec }: RunState): string =>
  `${spent} of ${spec.restart.max} restart${spec.restart.max === 1 ? "" : "s"} without progress used`;
