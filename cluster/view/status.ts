/** One run, host by host and rank by rank, for `status`. */

import { withFile } from "../diag/with-file.ts";
import { presentFindings } from "../run/findings.ts";
import { type HostState, hostsOf, isOver, type RunState } from "../run/state.ts";
import { sanitiseWord } from "../sanitise.ts";
import type { Pace } from "../steps/pace.ts";
import { begunOf, phaseOf } from "./begun.ts";
import { formatDuration } from "./duration.ts";
import { hostStep } from "./host-line.ts";
import { whyLines } from "./host-why.ts";
import { leaderLines } from "./leader.ts";
import { paceWords } from "./pace-words.ts";
import { firstLine, furtherLines } from "./paragraph.ts";
import { rankWord } from "./rank-word.ts";
import { receiptLines } from "./receipt.ts";
import { standingLines } from "./standing.ts";
import { formatTable } from "./table.ts";
import { NEEDS_AUTH, needsAuth, unseenSince } from "./unseen.ts";

/** Shorter silences are no news. */
const QUIET_MS = 10_000;

/** What the state does not hold. `wroteAt`: when a rank was last heard to write; null: not known. `notes`: of how the attempt began. */
export type Besides = { readonly wroteAt?: number | null; readonly pace?: Pace | null; readonly notes?: readonly string[] };

export function statusLines(state: RunState, at: number, { wroteAt = null, pace = null, notes = [] }: Besides = {}): readonly string[] {
  const end = state.fenced?.end;
  const now = end?.endedAt ?? state.fenced?.at ?? at; // what another controller did since is not known here
  const phase = end?.phase ?? (state.fenced === null || isOver(state) ? phaseOf(state) : `last known: ${state.phase}`);
  const { attempt, ranks: world } = begunOf(state);
  const head = [
    `${state.spec.run}  ${sanitiseWord(state.spec.name)}  ${phase}  attempt ${attempt}  ${world} rank${world === 1 ? "" : "s"}  ${formatDuration((state.endedAt ?? now) - state.requestedAt)}`,
    ...leaderLines(state),
    ...(state.failure === null ? [] : [`failure: ${sanitiseWord(firstLine(state.failure.text))}`, ...furtherLines(state.failure.text).map(sanitiseWord)]),
    ...standingLines(state, now),
    ...(isOver(state) || state.phase === "recovering" ? [] : notes.map((note) => sanitiseWord(note))),
    ...quietLines(state, now, wroteAt),
    ...(state.phase === "running" && pace !== null ? [paceWords(pace, state.world)] : []),
    ...(state.phase === "running" ? presentFindings(state).map(({ code, text }) => `! ${sanitiseWord(text)} (nexadist explain ${code})`) : []),
    ...(state.hang === null ? [] : [`hang: ${sanitiseWord(state.hang.text)}`]),
    ...(state.failure?.problem ? [`     try: ${sanitiseWord(withFile(state.failure.problem.hint, state.spec.file))}`] : []),
  ];
  const hosts = hostsOf(state).map((h) => [sanitiseWord(h.name), stageWord(state, h), linkWord(state, h, now), h.driver, nowWord(state, h)]);
  const ranks = Object.values(state.ranks)
    .sort((a, b) => a.rank - b.rank)
    .map((r) => [`r${r.rank}`, sanitiseWord(r.host), `${r.pid}`, rankWord(state, r)]);
  const receipts = isOver(state) ? receiptLines(state) : [];
  return [
    ...head,
    "",
    ...formatTable([["HOST", "STAGE", "LINK", "SSH", "NOW"], ...hosts]),
    ...whyLines(state, now).map((line) => `  ${line}`),
    ...(ranks.length === 0 ? [] : ["", ...formatTable([["RANK", "HOST", "PID", "STATE"], ...ranks])]),
    ...(receipts.length === 0 ? [] : ["", ...receipts]),
    ...(state.logsIncomplete.length > 0 ? ["", `the last log lines of ${state.logsIncomplete.map(sanitiseWord).join(", ")} may be missing`] : []),
  ];
}

/** Of the attempt that runs: what the one before wrote says nothing of this one. */
function quietLines({ phase, phaseAt, attemptAt }: RunState, now: number, wroteAt: number | null): readonly string[] {
  if (phase !== "running" || wroteAt === null) return [];
  const isOfThis = wroteAt >= (attemptAt ?? 0);
  const quietMs = now - (isOfThis ? wroteAt : phaseAt);
  if (quietMs <= QUIET_MS) return [];
  return [isOfThis ? `ranks last wrote ${formatDuration(quietMs)} ago` : `no rank has written anything since all were started ${formatDuration(quietMs)} ago`];
}

function stageWord(state: RunState, { stage, receipt, lost }: HostState): string {
  if (isOver(state) && receipt === "unknown") return "owing";
  if (!isOver(state) && lost !== null) return "lost";
  return stage === "forgot" ? "done" : stage;
}

const nowWord = (state: RunState, host: HostState): string => (!isOver(state) && host.lost !== null ? "" : hostStep(state, host));

function linkWord(state: RunState, host: HostState, now: number): string {
  if (isOver(state) || host.stage === "waiting" || host.stage === "refused") return "";
  return host.seen ? "up" : needsAuth(host) ? NEEDS_AUTH : unseenSince(host, now);
}
