/** Runs as rows, for `ps` and `runs`. */

import { sanitiseWord } from "../sanitise.ts";
import type { RunSummary } from "../viewer.ts";
import { formatDuration } from "./duration.ts";
import { firstLine } from "./paragraph.ts";
import { formatTable } from "./table.ts";

export function runTable(runs: readonly RunSummary[], now: number): readonly string[] {
  const rows = runs.map((r) => [
    r.run,
    sanitiseWord(r.name),
    phaseWord(r),
    `${r.hosts}`,
    r.ranks === 0 ? "-" : `${r.ranks}`,
    `${r.attempt}`,
    formatDuration((r.endedAt ?? now) - r.requestedAt),
    [r.failure === null ? "" : firstLine(r.failure), waits(r), owes(r)]
      .filter((text) => text !== "")
      .map((text) => sanitiseWord(text))
      .join("; "),
  ]);
  return formatTable([["RUN", "NAME", "PHASE", "HOSTS", "RANKS", "ATTEMPT", "LASTED", "WHY"], ...rows]);
}

function phaseWord({ phase, ledBy, waitsFor, owing = [] }: RunSummary): string {
  if (ledBy !== undefined) return `${phase}, led by ${sanitiseWord(ledBy)}`;
  if (waitsFor !== undefined) return "waiting";
  return owing.length === 0 ? phase : `${phase}, owes`;
}

const waits = ({ waitsFor = {} }: RunSummary): string =>
  Object.entries(waitsFor)
    .map(([host, who]) => `${host}: ${who}`)
    .join("; ");

const owes = ({ owing = [] }: RunSummary): string => (owing.length === 0 ? "" : `owing: ${owing.join(", ")} could not be asked`);
