/** Which all-reduce to try next: two hosts, then all; and when one fails, the trials that tell a host from a link, and NCCL from the network. Pure. */

import type { Trial } from "../check.ts";

export type TrialPlan = Pick<Trial, "hosts" | "backend" | "env"> & {
  /** One rank on each host, or all that the file gives it. */
  readonly isWhole: boolean;
};

export type Shape = {
  /** In the order of the file. */
  readonly hosts: readonly string[];
  readonly usesGpus: boolean;
  /** Ranks of the whole run. */
  readonly ranks: number;
};

/** Nothing is found in more: what is not clear then is for a person. */
const MOST = 8;

/** What of NCCL is switched off to see whether it is to blame: between hosts RDMA, within one peer-to-peer and shared memory. */
const BETWEEN: readonly Trial["env"][] = [{ NCCL_IB_DISABLE: "1" }];
const WITHIN: readonly Trial["env"][] = [{ NCCL_P2P_DISABLE: "1" }, { NCCL_P2P_DISABLE: "1", NCCL_SHM_DISABLE: "1" }];

const isSame = (trial: Trial, plan: TrialPlan): boolean =>
  trial.hosts.join() === plan.hosts.join() &&
  trial.backend === plan.backend &&
  trial.isWhole === plan.isWhole &&
  JSON.stringify(trial.env) === JSON.stringify(plan.env);

/** null: all is known that trials can tell. */
export function nextTrial(shape: Shape, trials: readonly Trial[]): TrialPlan | null {
  if (trials.length >= MOST) return null;
  return wanted(shape, trials).find((plan) => !trials.some((trial) => isSame(trial, plan))) ?? null;
}

/** All that is wanted so far, in order; each becomes known when those before it are done. */
function wanted({ hosts, usesGpus, ranks }: Shape, trials: readonly Trial[]): readonly TrialPlan[] {
  const [a, b] = hosts;
  if (a === undefined || (b === undefined && ranks < 2)) return [];
  const backend = usesGpus ? "nccl" : "gloo";
  const plan = (members: readonly string[], isWhole: boolean, more: Partial<TrialPlan> = {}): TrialPlan => ({
    hosts: members,
    backend,
    env: {},
    isWhole,
    ...more,
  });
  const resultOf = (of: TrialPlan): Trial | undefined => trials.find((trial) => isSame(trial, of));
  const hasFailed = (of: TrialPlan): boolean => (resultOf(of)?.failure ?? null) !== null;
  const plans: TrialPlan[] = [];

  const pair = b === undefined ? null : plan([a, b], false);
  const whole = plan(hosts, true);
  if (pair !== null) plans.push(pair);
  if (pair !== null && hasFailed(pair)) return [...plans, ...ofPair(pair)];
  if (pair === null || hosts.length > 2 || ranks > 2) plans.push(whole);
  return hasFailed(whole) ? [...plans, ...ofWhole()] : plans;

  function ofPair(failed: TrialPlan): readonly TrialPlan[] {
    const asGloo: TrialPlan = { ...failed, backend: "gloo", env: {} };
    const [one, other] = failed.hosts;
    const third = hosts.find((name) => name !== one && name !== other);
    if (failed.backend === "nccl" && !hasFailed(asGloo)) {
      if (resultOf(asGloo) === undefined) return [asGloo];
      const variants = BETWEEN.map((env) => ({ ...failed, env }));
      const isCured = variants.some((variant) => resultOf(variant)?.failure === null);
      if (isCured || third === undefined || variants.some((variant) => resultOf(variant) === undefined)) return [asGloo, ...variants];
      // Whose NCCL it is shows with a third host, as it does with gloo.
      return [asGloo, ...variants, ...[one, other].flatMap((name) => (name === undefined ? [] : [plan(inOrder([name, third]), false)]))];
    }
    const known: readonly TrialPlan[] = failed.backend === "nccl" ? [asGloo] : [];
    if (one === undefined || other === undefined || third === undefined) return known;
    // The second pass: each of the two with a third.
    return [...known, ...[one, other].map((name) => plan(inOrder([name, third]), false, { backend: "gloo" }))];
  }

  function ofWhole(): readonly TrialPlan[] {
    const asGloo: TrialPlan = { ...whole, backend: "gloo" };
    if (backend === "nccl" && !hasFailed(asGloo)) return [asGloo, ...(resultOf(asGloo) === undefined ? [] : WITHIN.map((env) => ({ ...whole, env })))];
    const known: readonly TrialPlan[] = backend === "nccl" ? [asGloo] : [];
    // The first host with each of the others; those that the failed run names come first.
    const named = resultOf(whole)?.failure?.host ?? null;
    const rest = hosts.slice(pair === null ? 1 : 2).sort((x, y) => Number(y === named) - Number(x === named));
    const tried: TrialPlan[] = [];
    for (const name of rest) {
      const one = plan([a as string, name], false, { backend: "gloo" });
      tried.push(one);
      if (hasFailed(one)) return [...known, ...tried, plan(inOrder([b as string, name]), false, { backend: "gloo" })];
    }
    return [...known, ...tried];
  }

  function inOrder(names: readonly string[]): readonly string[] {
    return hosts.filter((name) => names.includes(name));
  }
}
