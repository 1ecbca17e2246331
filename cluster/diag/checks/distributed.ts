/** Trial all-reduces over the very launcher, Python and interface of the run, and what the measured links make of a step. */

import { formatBytes } from "../../view/bytes.ts";
import type { DiagContext, Judgement, PairCheck, Trial } from "../check.ts";
import { names } from "../compare.ts";
import { conclude } from "../distributed/conclude.ts";
import type { PairJudgement } from "../pairs/blame.ts";
import { estimate } from "../pairs/estimate.ts";
import { gigabits } from "./links.ts";

const base = { group: "distributed", tier: "full", scope: "pair", who: "you", isBlocking: true, needs: [] } as const;

/** Ended because somebody else is there, which is no fault of these hosts. */
const isKept = ({ failure }: Trial): boolean => failure !== null && /BUSY|CLAIM|QUEUE/.test(failure.code);

/** "4 ranks on gpu-a, gpu-b (gloo)" */
const who = ({ ranks, hosts, backend }: Trial): string => `${ranks} ranks on ${names(hosts)} (${backend})`;

/** The first trial that a check speaks of: its own conclusion, one line when it was right, nothing when it was not made. */
function judgeTrials(
  trials: readonly Trial[],
  isMine: (trial: Trial) => boolean,
  isBad: (trial: Trial) => boolean,
  good: (trial: Trial) => string,
): readonly PairJudgement[] {
  const mine = trials.filter((trial) => isMine(trial));
  const bad = mine.find(isBad);
  const last = mine.at(-1);
  if (last === undefined) return [];
  if (bad === undefined) {
    const right = mine.filter(({ failure }) => failure === null);
    return right.length === 0 ? [] : [{ host: null, status: "pass", observed: good(right.at(-1) ?? last) }];
  }
  if (isKept(bad)) return [{ host: null, status: "skip", observed: bad.failure?.text ?? "" }];
  const found = conclude(trials);
  const evidence = trials.filter(({ failure }) => failure !== null).map((trial) => `${who(trial)}: ${trial.failure?.text.split("\n")[0] ?? ""}`);
  const judgement: Judgement = {
    status: "fail",
    observed: found?.text ?? bad.failure?.text ?? "",
    evidence: [...evidence, ...trials.filter(({ failure }) => failure === null).map((trial) => `${who(trial)}: right`)],
    words: { run: bad.run, fix: (found?.fix ?? "").replaceAll("{run}", bad.run) },
  };
  return [{ ...judgement, host: found?.host ?? null, ...(found?.peer === undefined ? {} : { peer: found.peer }) }];
}

const timed = (trial: Trial): string => {
  const { allReduce } = trial;
  return `${who(trial)}: the right sum${allReduce === null ? "" : `, ${formatBytes(allReduce.bytes)} in ${allReduce.ms.toFixed(1)} ms`}`;
};

/** Those that were planned, not those that look for the cause. */
const isMain = ({ env }: Trial): boolean => Object.keys(env).length === 0;
const trialsOf = ({ trials = [] }: DiagContext): readonly Trial[] => trials;

export const DISTRIBUTED: readonly PairCheck[] = [
  {
    ...base,
    id: "dist.rdzv",
    title: "the rendezvous of all ranks",
    why: "the run begins with it, over the same launcher and Python",
    fix: "see what failed in the trial's own words: nexadist logs RUN; then port.rdzv, ver.torch and time.skew",
    verify: "nexadist diag --full --only dist.rdzv",
    proof: "unproven",
    judge: (_, context) =>
      judgeTrials(
        trialsOf(context),
        isMain,
        ({ failure, metMs }) => failure !== null && metMs === null,
        (trial) => `${who(trial)} within ${((trial.metMs ?? 0) / 1000).toFixed(1)} s of the start`,
      ),
  },
  ...(["gloo", "nccl"] as const).map(
    (backend): PairCheck => ({
      ...base,
      id: `dist.${backend}`,
      title: `the sum of all ranks by ${backend === "gloo" ? "Gloo" : "NCCL"}`,
      why: "every step of training does it",
      fix: "see what failed in the trial's own words: nexadist logs RUN; then net.iface, port.ephemeral and net.mtu",
      verify: `nexadist diag --full --only dist.${backend}`,
      proof: backend === "gloo" ? "broken" : "unproven",
      judge: (_, context) =>
        judgeTrials(
          trialsOf(context),
          // Where GPUs are used, gloo only serves to find what is wrong with NCCL.
          (trial) => isMain(trial) && trial.backend === backend && trialsOf(context)[0]?.backend === backend,
          ({ failure, metMs }) => failure !== null && metMs !== null,
          timed,
        ),
    }),
  ),
  {
    ...base,
    id: "dist.comm_budget",
    title: "the time of gradients on the links",
    why: "what a step waits for its all-reduce it does not compute",
    fix: "faster links between {host} and {peer}; or fewer bytes: bf16 gradients, gradient accumulation, LoRA",
    who: "admin",
    isBlocking: false,
    verify: "nexadist diag --full --only dist.comm_budget",
    proof: "broken",
    judge: (pairs) => {
      const found = estimate(pairs);
      if (found === null) return [];
      const { slowest, allReduceMs, bytes } = found;
      const observed = `gradients of ${formatBytes(bytes)} take ${(allReduceMs / 1000).toFixed(1)} s or more a step, by ${slowest.from} to ${slowest.to} (${gigabits(slowest.bitsPerS)})`;
      return slowest.bitsPerS < SLOW_LINK
        ? [{ host: slowest.from, peer: slowest.to, status: "warn", observed, expected: `${gigabits(SLOW_LINK)} or more` }]
        : [{ host: null, status: "pass", observed }];
    },
  },
];

/** Bit/s: what a healthy gigabit link gives to TCP. Slower ones are Wi-Fi, a relay or a bad cable. */
const SLOW_LINK = 0.9e9;
