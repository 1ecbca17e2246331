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
    r.ledBy === undefined ? r.phase : `${r.phase}, led by ${sanitiseWord(r.ledBy)}`,
    `${r.hosts}`,
    r.ranks === 0 ? "-" : `${r.ranks}`,
    `${r.attempt}`,
    formatDuration((r.endedAt ?? now) - r.requestedAt),
    sanitiseWord(firstLine(r.failure ?? "")),
  ]);
  return formatTable([["RUN", "NAME", "PHASE", "HOSTS", "RANKS", "ATTEMPT", "LASTED", "FAILURE"], ...rows]);
}
