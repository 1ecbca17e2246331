/** Takes the GPUs of an attempt to be on all its hosts, or none; waits for them where it may. */

import { setTimeout as delay } from "node:timers/promises";
import { claimReply, type Keeper, wantOf } from "../../cluster/claims/claim.ts";
import { keeperCure, keeperWords } from "../../cluster/claims/words.ts";
import { fail, NexaError, type Problem, toProblem } from "../../cluster/errors.ts";
import { chooseGpus } from "../../cluster/launch/gpus.ts";
import type { RunEvent } from "../../cluster/run/events.ts";
import { fence, type RecoveryDeps } from "./recovery.ts";

/** Between two looks whether they are free. */
const AGAIN_MS = 2000;
/** Two runs that each have a part of what the other needs let go, and take turns: the earlier one goes first. */
const TURNS = 3;
const TURN_MS = 300;

type Outcome =
  | { readonly is: "had"; readonly host: string; readonly gpus: readonly string[]; readonly notes: readonly string[] }
  | { readonly is: "busy"; readonly host: string; readonly busy: readonly Keeper[] }
  | { readonly is: "away"; readonly host: string }
  | { readonly is: "refused"; readonly host: string; readonly during: "claim"; readonly problem: Problem };

/** All of them, or the first host's refusal. Errors: NOT_WANTED, LINK_LOST: it is tried again. */
export async function claimGpus(deps: RecoveryDeps, hosts: readonly string[]): Promise<RunEvent> {
  const { spec, attempt, queue } = deps.state;
  const mayWait = spec.waitsForGpus === true || attempt > 0; // a run that has trained does not fail because its GPUs were lent
  let told = JSON.stringify(queue?.busy ?? null);
  for (let turn = 1; ; turn++) {
    const mayQueue = mayWait || (hosts.length > 1 && turn < TURNS);
    const outcomes = await Promise.all(hosts.map((host) => claimOn(deps, host, mayQueue)));
    const had = outcomes.filter((one) => one.is === "had");
    if (had.length === hosts.length) {
      return { at: deps.now(), type: "gpus-claimed", claims: Object.fromEntries(had.map(({ host, gpus, notes }) => [host, { gpus, notes }])) };
    }
    await Promise.all(had.map(({ host }) => command(deps, host, { do: "unclaim" })));
    const refused = outcomes.find((one) => one.is === "refused");
    if (refused !== undefined) return { at: deps.now(), type: "host-failed", ...refused };
    const kept = outcomes.filter((one) => one.is === "busy");
    const [first] = kept;
    if (first === undefined) throw fail("LINK_LOST", { host: outcomes.find((one) => one.is === "away")?.host ?? "", why: "no word from it" });
    if (!mayQueue) return { at: deps.now(), type: "host-failed", host: first.host, during: "claim", problem: busyProblem(deps, first, kept.slice(1)) };
    const busy = Object.fromEntries(kept.map((one) => [one.host, keeperWords(one.busy)]));
    if (mayWait && told !== JSON.stringify(busy)) deps.tell({ at: deps.now(), type: "gpus-busy", busy });
    told = JSON.stringify(busy);
    await delay(mayWait ? AGAIN_MS : TURN_MS);
    if (!deps.isWanted()) throw fail("NOT_WANTED", { host: first.host });
  }
}

type Busy = Extract<Outcome, { is: "busy" }>;

function busyProblem({ state }: RecoveryDeps, first: Busy, others: readonly Busy[]): Problem {
  const cureOf = ({ host, busy }: Busy): string =>
    keeperCure(busy, host, state.hosts[host]?.facts?.user ?? "", state.by, state.spec.hosts.find(({ name }) => name === host) ?? null);
  return toProblem(
    fail("GPUS_BUSY", {
      host: first.host,
      who: [keeperWords(first.busy), ...others.map(({ host, busy }) => `${host}: its GPUs are not free: ${keeperWords(busy)}`)].join("\n"),
      cure: [...new Set([first, ...others].map(cureOf))].join("; and "),
    }),
    first.host,
  );
}

async function claimOn(deps: RecoveryDeps, host: string, mayQueue: boolean): Promise<Outcome> {
  const { spec, hosts, requestedAt, by } = deps.state;
  const request = spec.hosts.find((each) => each.name === host)?.gpus;
  const facts = hosts[host]?.facts ?? null;
  const linked = deps.linked(host);
  if (linked === null || request === undefined || facts === null) return { is: "away", host };
  const choice = chooseGpus(request, facts, host, null, spec.hosts);
  const want = wantOf(request, facts);
  if (!choice.ok) return { is: "refused", host, during: "claim", problem: choice.problem };
  const without = (note: string): Outcome => ({ is: "had", host, gpus: choice.gpus.map(({ uuid }) => uuid), notes: [note] });
  if (want === null) return { is: "had", host, gpus: [], notes: [] };
  if (linked.link.welcome.claims !== true) return without("its agent is too old to keep other runs off its GPUs: nexadist agent upgrade");
  const gpus = (facts.gpus ?? []).map(({ index, uuid }) => ({ index, uuid }));
  const ids = want.kind === "list" ? { ...want, ids: [...want.ids] } : want;
  try {
    const asked = { do: "claim", name: spec.name, by, requestedAt, want: ids, gpus, mayQueue, force: spec.isForced === true } as const;
    const reply = claimReply.parse(await command(deps, host, asked));
    if (reply.ok) return { is: "had", host, gpus: reply.gpus, notes: reply.notes };
    if ("busy" in reply) return { is: "busy", host, busy: reply.busy };
    if (spec.isForced === true) return without(`other runs are not kept off its GPUs: ${reply.unusable}`);
    return { is: "refused", host, during: "claim", problem: toProblem(fail("CLAIMS_UNUSABLE", { host, why: reply.unusable }), host) };
  } catch (error) {
    if (!(error instanceof NexaError) || error.code === "FENCED") throw error;
    if (error.code === "LINK_LOST") return { is: "away", host };
    return { is: "refused", host, during: "claim", problem: toProblem(error, host) };
  }
}

type Asked = Parameters<NonNullable<ReturnType<RecoveryDeps["linked"]>>["link"]["command"]>[0];
type Unfenced<C> = C extends { readonly run: string } ? Omit<C, "run" | "epoch" | "controller"> : never;

/** Of a host that is away nothing is known; what it holds it lets go by itself. */
const command = async (deps: RecoveryDeps, host: string, what: Unfenced<Extract<Asked, { do: "claim" | "unclaim" }>>): Promise<unknown> =>
  (await deps.linked(host)?.link.command({ ...what, ...fence(deps) })) ?? null;
