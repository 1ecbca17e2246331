/** `diag`: can these hosts train together, and if not, why and which command mends it. Leaves nothing on them. */

import type { Result, Tier } from "../../cluster/diag/check.ts";
import { estimate } from "../../cluster/diag/pairs/estimate.ts";
import { matrixLines, symbolOf } from "../../cluster/diag/pairs/matrix.ts";
import { findingOf, reportLines, verdictOf } from "../../cluster/diag/report.ts";
import { EXIT } from "../../cluster/errors.ts";
import { type Diagnosis, runDiag } from "../diag/run-diag.ts";
import type { Options, Run } from "./commands.ts";
import type { Context } from "./context.ts";
import { findOrStartDaemon } from "./daemon-start.ts";
import { loadRun } from "./load-cluster.ts";
import { reachHost } from "./reach-host.ts";
import { lentOf } from "./takeover.ts";
import { runTrial } from "./trial-run.ts";

const listOf = (value: unknown): readonly string[] => (Array.isArray(value) ? value.flatMap((each) => (typeof each === "string" ? each.split(",") : [])) : []);

export const diag: Run = async (context, [file], options) => {
  const { spec } = loadRun(context, file, options, new Date());
  const tier: Tier = options.deep === true ? "deep" : options.full === true ? "full" : "quick";
  const found = await runDiag(
    spec,
    { tier, only: listOf(options.only), skip: listOf(options.skip) },
    {
      reach: (host) => reachHost(host, context, options),
      now: Date.now,
      say: context.say,
      onResult: () => undefined,
      runTrial: async (trial) => runTrial(await findOrStartDaemon(), trial, lentOf(context, options)),
    },
  );
  tell(context, found);
  return exitOf(found, options);
};

function tell(context: Context, found: Diagnosis): void {
  const { checks, results, spec, tookMs, tier, pairs } = found;
  if (context.json) return context.printJson(diagnosisJson(found));
  for (const line of reportLines(checks, results, { hosts: spec.hosts.length, seconds: tookMs / 1000, isVerbose: context.verbose })) context.print(line);
  if (tier !== "quick" || pairs.some((pair) => pair.from !== pair.to && symbolOf(pair) !== null))
    for (const line of ["", ...matrixLines(pairs)]) context.print(line);
}

function diagnosisJson({ checks, results, tier, at, tookMs, pairs }: Diagnosis): object {
  const known = new Map(checks.map((check) => [check.id, check]));
  const { isReady, blockers, counts } = verdictOf(checks, results);
  const full = (result: Result): object => {
    const check = known.get(result.id);
    return check === undefined ? result : { ...result, ...findingOf(check, result) };
  };
  return {
    isReady,
    tier,
    at: new Date(at).toISOString(),
    tookMs: Math.round(tookMs),
    counts,
    blockers: blockers.map(full),
    results: results.map(full),
    matrix: pairs,
    estimate: estimate(pairs),
  };
}

function exitOf({ checks, results }: Diagnosis, options: Options): number {
  const { isReady, counts } = verdictOf(checks, results);
  if (!isReady) return EXIT.preflight;
  return options.strict === true && counts.warn + counts.fail + counts.error > 0 ? EXIT.preflight : EXIT.ok;
}
