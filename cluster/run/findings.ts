/** What was found while a run went on: each once, with its end when that came. */

import type { RunFinding } from "../telemetry/condition.ts";
import type { RunState } from "./state.ts";

export type FoundInRun = RunFinding & { readonly attempt: number };

/** Ended ones beyond it are forgotten, the oldest first. */
const KEPT = 100;

/** `until` null: it began; else the one with its key is over. */
export function findingTold({ findings = [] }: RunState, attempt: number, finding: RunFinding): readonly FoundInRun[] {
  const others = findings.filter((known) => !(known.attempt === attempt && known.key === finding.key && known.since === finding.since));
  const all = [...others, { ...finding, attempt }];
  const oldest =
    all.length > KEPT
      ? Math.max(
          0,
          all.findIndex(({ until }) => until !== null),
        )
      : -1;
  return all.filter((_, at) => at !== oldest);
}

/** Of the present attempt, not over. */
export const presentFindings = ({ findings = [], attempt }: RunState): readonly FoundInRun[] =>
  findings.filter((found) => found.attempt === attempt && found.until === null);
