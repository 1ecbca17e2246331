/** The trial all-reduces of a diagnosis, when nothing that was seen before keeps a run back. */

import { runId } from "../../cluster/config/run-id.ts";
import { aliveOn } from "../../cluster/diag/alive.ts";
import type { Check, DiagContext, PairCheck, PairProbe, Result } from "../../cluster/diag/check.ts";
import { names } from "../../cluster/diag/compare.ts";
import { judgePairs, type Look } from "../../cluster/diag/judge.ts";
import { verdictOf } from "../../cluster/diag/report.ts";
import { toProblem } from "../../cluster/errors.ts";
import type { RunSpec } from "../../cluster/spec.ts";
import { probeDistributed } from "./distributed.ts";
import type { DiagDeps } from "./run-diag.ts";

/** No trial is begun later: the tier's 3 minutes are not passed by more than the last one. */
const LIMIT_MS = 90_000;

type Asked = {
  readonly spec: RunSpec;
  readonly checks: readonly PairCheck[];
  /** All checks of the diagnosis, and what they came to so far. */
  readonly all: readonly Check[];
  readonly results: readonly Result[];
  readonly pairs: readonly PairProbe[];
  readonly looks: readonly Look[];
  readonly context: DiagContext;
};

export async function tryDistributed(
  { spec, checks, all, results, pairs, looks, context }: Asked,
  { runTrial, say, now }: DiagDeps,
): Promise<readonly Result[]> {
  const usesGpus = spec.hosts.some(({ gpus }) => gpus.kind !== "none");
  const trying = checks.filter(({ id }) => id !== "dist.comm_budget" && id !== (usesGpus ? "dist.gloo" : "dist.nccl"));
  const rest = judgePairs(
    checks.filter(({ id }) => id === "dist.comm_budget"),
    pairs,
    context,
  );
  if (trying.length === 0) return rest;
  const told = (status: "skip" | "error", observed: string): readonly Result[] => [
    ...rest,
    ...trying.map(({ id }): Result => ({ id, host: null, status, observed })),
  ];
  if (runTrial === undefined) return told("skip", "no trial is made here");
  const alive = aliveOn(looks);
  if (alive.length > 0) return told("skip", `no trial is made while a run is alive on ${names(alive)}`);
  if (verdictOf(all, results).blockers.length > 0) return told("skip", "no trial is made while something else keeps a run back");
  let last = 0;
  const runName = (): string => {
    last = Math.max(now(), last + 1000); // names count seconds
    return runId("diag", new Date(last));
  };
  try {
    const trials = await probeDistributed(spec, { run: runTrial, runName, say, untilMs: Date.now() + LIMIT_MS });
    if (trials.length === 0) return told("skip", "one rank has nobody to meet");
    return [...rest, ...judgePairs(trying, pairs, { ...context, trials })];
  } catch (error) {
    return told("error", toProblem(error).message);
  }
}
