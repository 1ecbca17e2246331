/** Runs as rows, for `ps` and `runs`. */

import { sanitiseWord } from "../sanitise.ts";
import type { RunSummary } from "../viewer.ts";
import { formatDuration } from "./duration.ts";
import { fitTable } from "./fit-table.ts";
import { clockOf } from "./leader.ts";
import { firstLine, headline } from "./paragraph.ts";
import { LOG_IN, NEEDS_AUTH } from "./unseen.ts";

/** Enough of a reason to know which it is. */
const WHY_LEAST = 30;

export function runTable(runs: readonly RunSummary[], now: number, columns = Number.POSITIVE_INFINITY): readonly string[] {
  const rows = runs.map((r) => [
    r.run,
    sanitiseWord(r.name),
    phaseWord(r),
    r.of === undefined ? `${r.hosts}` : `${r.hosts} of ${r.of}`,
    r.ranks === 0 ? "-" : `${r.ranks}`,
    `${r.attempt}`,
    formatDuration((r.endedAt ?? r.knownAt ?? now) - r.requestedAt),
    runWhy(r, now),
  ]);
  return fitTable([["RUN", "NAME", "PHASE", "HOSTS", "RANKS", "ATTEMPT", "LASTED", "WHY"], ...rows], columns, ["ATTEMPT", "RANKS", "NAME", "HOSTS"], WHY_LEAST);
}

/** All that somebody should know of it; "": nothing. */
export const runWhy = (r: RunSummary, now: number): string =>
  [lastKnown(r), r.failure === null ? "" : headline(r.failure), waits(r), logIn(r), unseen(r, now), finds(r), owes(r)]
    .filter((text) => text !== "")
    .map((text) => sanitiseWord(text))
    .join("; ");

/** Who leads it alone knows what has become of it since. */
const lastKnown = ({ phase, endedAt, knownAt }: RunSummary): string =>
  endedAt !== null || knownAt === undefined ? "" : `last known: ${phase} at ${clockOf(knownAt)} UTC`;

export function phaseWord({ phase, ledBy, knownAt, endedAt, waitsFor, needsAuth, owing = [] }: RunSummary): string {
  if (ledBy !== undefined && knownAt !== undefined && endedAt === null) return `led by ${sanitiseWord(ledBy)}`;
  if (ledBy !== undefined) return `${phase}, led by ${sanitiseWord(ledBy)}`;
  if (waitsFor !== undefined) return "waiting";
  if (needsAuth !== undefined) return `${phase}, ${NEEDS_AUTH}`;
  return owing.length === 0 ? phase : `${phase}, owes`;
}

const waits = ({ waitsFor = {} }: RunSummary): string =>
  Object.entries(waitsFor)
    .map(([host, who]) => `${host}: ${who}`)
    .join("; ");

const logIn = ({ needsAuth = [] }: RunSummary): string => (needsAuth.length === 0 ? "" : `${needsAuth.join(", ")}: ${LOG_IN}`);

const unseen = ({ unseen: silent = [] }: RunSummary, now: number): string =>
  silent
    .map(({ host, at, why, witness }) => {
      const known = [firstLine(why), witness].filter((text) => text !== "").join("; ");
      return `${host}: unseen${at === null ? "" : ` for ${formatDuration(now - at)}`}${known === "" ? "" : ` (${known})`}`;
    })
    .join("; ");

/** The last begun; status has all. */
const finds = ({ findings = [] }: RunSummary): string =>
  findings.length === 0 ? "" : `${findings.at(-1)}${findings.length === 1 ? "" : ` (and ${findings.length - 1} more: status)`}`;

const owes = ({ owing = [] }: RunSummary): string => (owing.length === 0 ? "" : `owing: ${owing.join(", ")} could not be asked`);
