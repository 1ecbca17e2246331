/** Who takes part with how many ranks: from the run's state once its hosts are known. Pure. */

import { isIP } from "node:net";
import { NexaError, type Problem, toProblem } from "../../cluster/errors.ts";
import { chooseGpus } from "../../cluster/launch/gpus.ts";
import { withPeerAddress } from "../../cluster/launch/peer-address.ts";
import { planAttempt } from "../../cluster/launch/plan.ts";
import { portsToHold } from "../../cluster/launch/ports.ts";
import type { AttemptPlan, PlanHost } from "../../cluster/launch/types.ts";
import { assignRanks, type RankAssignment, ranksOf } from "../../cluster/ranks.ts";
import { membersOf, type RunState } from "../../cluster/run/state.ts";
import type { HostSpec, RunSpec } from "../../cluster/spec.ts";
import { parseStream } from "./line-feed.ts";

export type Layout =
  | { readonly ok: true; readonly places: readonly RankAssignment[]; readonly world: number }
  | { readonly ok: false; readonly host: string; readonly problem: Problem };

/** In the order of their ranks: a spare has the place of the host that it replaces. */
export const memberSpecs = (state: RunState): HostSpec[] =>
  state.members
    .flatMap((name) => state.spec.hosts.find((host) => host.name === name) ?? [])
    .map((host) => withPeerAddress(host, state.hosts[host.name]?.dialled ?? null));

/** The run's own, but for a rendezvous on a host that takes no part any more: then the first host has it. */
export function attemptSpec(state: RunState): RunSpec {
  const { spec } = state;
  const [first] = state.members;
  const isThere = spec.rdzv === null || memberSpecs(state).some((host) => host.name === spec.rdzv?.host || host.address === spec.rdzv?.host);
  return isThere || first === undefined || spec.rdzv === null ? spec : { ...spec, rdzv: { host: first, port: spec.rdzv.port } };
}

/** A state never changes, and log frames ask often. */
const known = new WeakMap<RunState, Layout>();

export function layOut(state: RunState): Layout {
  const layout = known.get(state) ?? makeLayout(state);
  known.set(state, layout);
  return layout;
}

function makeLayout(state: RunState): Layout {
  const { nproc } = state;
  if (nproc.length > 0 && nproc.length === state.members.length) {
    const places = assignRanks(state.members.map((name, k) => ({ name, nproc: nproc[k] ?? 0 })));
    return { ok: true, places, world: state.world };
  }
  const counted: { name: string; nproc: number }[] = [];
  for (const host of memberSpecs(state)) {
    const choice = chooseGpus(host.gpus, state.hosts[host.name]?.facts ?? null, host.name, state.hosts[host.name]?.claim ?? null);
    if (!choice.ok) return { ok: false, host: host.name, problem: choice.problem };
    counted.push({ name: host.name, nproc: state.spec.launcher === "command" && state.spec.per === "host" ? 1 : choice.nproc });
  }
  const places = assignRanks(counted);
  return { ok: true, places, world: places.reduce((sum, place) => sum + place.nproc, 0) };
}

/** The global ranks of one host. */
export function ranksOfHost(state: RunState, host: string): ReadonlySet<number> {
  const layout = layOut(state);
  const place = layout.ok ? layout.places.find((p) => p.host === host) : undefined;
  return new Set(place === undefined ? [] : ranksOf(place).map(({ rank }) => rank));
}

/** A host writes the logs of its own ranks and launcher, of attempts that were. */
export function mayWrite(state: RunState, host: string, stream: string): boolean {
  const { attempt, rank } = parseStream(stream);
  if (attempt < 1 || attempt > state.attempt) return false;
  return rank === null || (attempt < state.attempt ? rank < (state.past.find((p) => p.attempt === attempt)?.world ?? 0) : ranksOfHost(state, host).has(rank));
}

export type Addresses = Readonly<Record<string, readonly string[]>>;

/** What an attempt would be refused for, before anything is armed; null: nothing. */
export function refusalOf(state: RunState, addresses: Addresses): { readonly host: string; readonly problem: Problem } | null {
  const layout = layOut(state);
  if (!layout.ok) return layout;
  try {
    planOf(state, addresses);
    return null;
  } catch (error) {
    const problem = toProblem(error);
    const named = error instanceof NexaError ? error.data.host : undefined;
    return { host: state.members.find((name) => name === named) ?? state.members[0] ?? "", problem };
  }
}

/** The plan of the present attempt. `addresses`: host → numeric addresses of its `address`. Ports are 1 until the host is armed. */
export function planOf(state: RunState, addresses: Addresses): AttemptPlan {
  const hosts = memberSpecs(state).map((host): PlanHost => {
    const at = state.hosts[host.name];
    return {
      host,
      facts: at?.facts ?? null,
      claimed: at?.claim ?? null,
      dirs: {
        bundle: at?.dirs?.bundle ?? null,
        attempt: at?.armed?.dir ?? "",
        socket: at?.armed?.socket ?? "",
        job: at?.dir ?? null,
        scratch: at?.scratch ?? null,
      },
      python: at?.python ?? null,
      lacks: at?.lacks ?? null,
      addresses: isIP(host.address) > 0 ? [host.address] : (addresses[host.name] ?? []),
      sessionNames: at?.sessionNames ?? [],
    };
  });
  const held = membersOf(state).flatMap((h) => portsOf(state, h.name));
  const port = (use: "rdzv" | "master"): number => held.find((p) => p.use === use)?.port ?? 1;
  const cpuOnly = hosts.every(({ host }) => host.gpus.kind === "none");
  return planAttempt({
    spec: attemptSpec(state),
    hosts,
    attempt: state.attempt,
    checkpoint: state.checkpoint,
    rdzvId: state.rdzvId,
    ports: { rdzv: port("rdzv"), master: port("master") },
    ncclLevel: state.nccl?.now ?? null,
    cpuOnly,
  });
}

function portsOf(state: RunState, host: string): { use: "rdzv" | "master"; port: number }[] {
  const asked = portsToHold(attemptSpec(state), memberSpecs(state), host).ports;
  return asked.map(({ use }, k) => ({ use, port: state.hosts[host]?.armed?.ports[k] ?? 1 }));
}
