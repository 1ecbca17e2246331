/** A diagnosis as lines, as JSON and as an exit status. */

import type { Check, Result } from "../../cluster/diag/check.ts";
import { estimate, estimateLines } from "../../cluster/diag/pairs/estimate.ts";
import { matrixLines, symbolOf } from "../../cluster/diag/pairs/matrix.ts";
import { findingOf, type Place, reportLines, verdictOf } from "../../cluster/diag/report.ts";
import { EXIT } from "../../cluster/errors.ts";
import type { Diagnosis } from "../diag/run-diag.ts";

export function diagnosisLines({ checks, results, spec, tookMs, tier, pairs }: Diagnosis, isVerbose: boolean): readonly string[] {
  const isMatrix = tier !== "quick" || pairs.some((pair) => pair.from !== pair.to && symbolOf(pair) !== null);
  const found = estimate(pairs);
  return [
    ...reportLines(checks, results, { place: spec, seconds: tookMs / 1000, isVerbose }),
    ...(isMatrix ? ["", ...matrixLines(pairs)] : []),
    ...(found === null ? [] : ["", ...estimateLines(found)]),
  ];
}

export const resultJson = (checks: ReadonlyMap<string, Check>, result: Result, place: Place): object => {
  const check = checks.get(result.id);
  if (check === undefined) return result;
  // Its cure as a template is of no use to anybody; made, it is `fix`.
  const { fix: _, ...words } = result.words ?? {};
  return { ...result, words, ...findingOf(check, result, place) };
};

export function diagnosisJson({ checks, results, spec, tier, at, tookMs, pairs }: Diagnosis): object {
  const known = new Map(checks.map((check) => [check.id, check]));
  const { isReady, blockers, unknown, counts } = verdictOf(checks, results);
  return {
    isReady,
    tier,
    at: new Date(at).toISOString(),
    tookMs: Math.round(tookMs),
    counts,
    blockers: blockers.map((result) => resultJson(known, result, spec)),
    unknown: unknown.map(({ id, host }) => ({ id, host })),
    results: results.map((result) => resultJson(known, result, spec)),
    matrix: pairs,
    estimate: estimate(pairs),
  };
}

/** 5 where a launch would be kept back, and with `isStrict` for every finding. */
export function exitOf({ checks, results }: Diagnosis, isStrict: boolean): number {
  const { isReady, counts } = verdictOf(checks, results);
  if (!isReady) return EXIT.preflight;
  return isStrict && counts.warn + counts.fail + counts.error > 0 ? EXIT.preflight : EXIT.ok;
}
