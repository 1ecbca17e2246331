/** Trial all-reduces as runs of their own, one after the other: two hosts, then all, and what tells the cause where one fails. */

import type { Trial } from "../../cluster/diag/check.ts";
import { nextTrial, type TrialPlan } from "../../cluster/diag/distributed/next-trial.ts";
import type { HostSpec, RunSpec } from "../../cluster/spec.ts";

/** What came of one run: the lines that python/all_reduce_probe.py told, with the time since the run was asked for. */
export type TrialRun = {
  readonly lines: readonly { readonly text: string; readonly atMs: number }[];
  readonly failure: Trial["failure"];
};

export type TrialDeps = {
  readonly run: (spec: RunSpec) => Promise<TrialRun>;
  readonly runName: () => string;
  readonly say: (text: string) => void;
  /** Nothing is begun after it. */
  readonly untilMs: number;
};

/** A trial ends itself: hosts that cannot meet wait for each other for WAIT_S, and all of it takes no longer than this. */
const RUN_MS = 120_000;
const WAIT_S = 45;

const ranksOf = ({ gpus }: HostSpec): number => {
  if (gpus.kind === "none") return gpus.slots;
  return gpus.kind === "count" ? gpus.count : gpus.kind === "list" ? gpus.ids.length : 1;
};

/** Errors: those of `run`. */
export async function probeDistributed(spec: RunSpec, { run, runName, say, untilMs }: TrialDeps): Promise<readonly Trial[]> {
  const hosts = spec.hosts.filter(({ name }) => !spec.spares.includes(name));
  const usesGpus = hosts.some(({ gpus }) => gpus.kind !== "none");
  const shape = { hosts: hosts.map(({ name }) => name), usesGpus, ranks: hosts.reduce((sum, host) => sum + ranksOf(host), 0) };
  const trials: Trial[] = [];
  while (Date.now() < untilMs) {
    const plan = nextTrial(shape, trials);
    if (plan === null) break;
    say(`trial: all-reduce by ${plan.backend} on ${plan.hosts.join(", ")}${Object.keys(plan.env).length === 0 ? "" : ` with ${JSON.stringify(plan.env)}`}`);
    const asked = trialSpec(spec, plan, runName());
    trials.push(trialOf(plan, asked, await run(asked)));
  }
  return trials;
}

/** The file's hosts, launcher, Python, interface and variables; nothing of its job, its restarts and its paths. */
export function trialSpec(spec: RunSpec, { hosts, backend, env, isWhole }: TrialPlan, run: string): RunSpec {
  const members = spec.hosts
    .filter(({ name }) => hosts.includes(name))
    .map((host): HostSpec => (isWhole ? host : { ...host, gpus: host.gpus.kind === "none" ? { kind: "none", slots: 1 } : oneOf(host.gpus) }));
  const first = members[0]?.name;
  const isThere = members.some(({ name, address }) => name === spec.rdzv?.host || address === spec.rdzv?.host);
  return {
    ...spec,
    run,
    name: "diag",
    hosts: members,
    spares: [],
    minHosts: members.length,
    launcher: spec.launcher === "command" ? "torchrun" : spec.launcher,
    rdzv: spec.rdzv === null || isThere || first === undefined ? spec.rdzv : { host: first, port: spec.rdzv.port },
    job: { kind: "smoke", program: "all_reduce_probe", args: ["--backend", backend, "--timeout", String(WAIT_S)] },
    env: { ...spec.env, ...env },
    secretNames: {},
    resumeArgs: [],
    code: { kind: "none" },
    paths: {},
    tags: [],
    seat: null,
    restart: { max: 0, backoffMs: 0, onHostLoss: "fail", onHang: "report", stopCodes: [], retryCodes: [] },
    timeouts: { ...spec.timeouts, startMs: Math.min(spec.timeouts.startMs, RUN_MS), runMs: RUN_MS },
  };
}

function oneOf(gpus: HostSpec["gpus"]): HostSpec["gpus"] {
  return gpus.kind === "list" ? { kind: "list", ids: gpus.ids.slice(0, 1) } : { kind: "count", count: 1 };
}

const WORD = "nexadist-probe ";

function trialOf(plan: TrialPlan, { run, hosts }: RunSpec, { lines, failure }: TrialRun): Trial {
  const told = lines.flatMap(({ text, atMs }) => {
    const at = text.indexOf(WORD);
    const value = at < 0 ? null : parse(text.slice(at + WORD.length));
    return value === null ? [] : [{ ...value, atMs }];
  });
  const largest = told.filter(({ stage }) => stage === "timed").at(-1);
  return {
    ...plan,
    run,
    ranks: hosts.reduce((sum, host) => sum + ranksOf(host), 0),
    failure,
    metMs: told.find(({ stage }) => stage === "met")?.atMs ?? null,
    allReduce: typeof largest?.bytes === "number" && typeof largest.ms === "number" ? { bytes: largest.bytes, ms: largest.ms } : null,
  };
}

function parse(text: string): { readonly stage: unknown; readonly bytes?: unknown; readonly ms?: unknown } | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && "stage" in value ? value : null;
  } catch {
    return null;
  }
}
