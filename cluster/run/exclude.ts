/** Who takes the places of hosts that a person has excluded: spares that are ready, else nobody. Pure. */

import { type HostState, hostsOf, type RunState } from "./state.ts";

export type Places =
  | { readonly go: "with"; readonly members: readonly string[] }
  /** wait: a spare may still come. */
  | { readonly go: "wait" | "fail"; readonly text: string };

/** A host that was the cause so often takes no part any more. */
export const FAULTS_MAX = 3;

export const isAside = (h: HostState): boolean => h.faults >= FAULTS_MAX;
export const isGone = (h: HostState): boolean => h.lost !== null || isAside(h) || h.excluded !== undefined;
export const isReady = (h: HostState): boolean => h.seen && h.dir !== null && !h.mayRun && !isGone(h);

export const freeSpares = (state: RunState, members: readonly string[]): HostState[] => hostsOf(state).filter((h) => !members.includes(h.name) && isReady(h));

/** As few hosts as the file allows: where it names no number, one. */
export const leastHosts = ({ spec }: RunState): number => (spec.minHosts < spec.hosts.length - spec.spares.length ? spec.minHosts : 1);

export function withoutExcluded(state: RunState): Places {
  const out = state.members.filter((name) => state.hosts[name]?.excluded !== undefined);
  if (out.length === 0) return { go: "with", members: state.members };
  const free = freeSpares(state, state.members);
  const replaced = state.members.map((name) => (out.includes(name) ? (free.shift()?.name ?? name) : name));
  const open = replaced.filter((name) => out.includes(name));
  const members = replaced.filter((name) => !out.includes(name));
  const needy = open.find((name) => state.hosts[name]?.excluded?.needsSpare === true);
  if (needy === undefined && members.length >= (open.length === 0 ? 1 : leastHosts(state))) return { go: "with", members };
  const why = needy === undefined ? `${members.length} of at least ${leastHosts(state)} hosts are left` : `${needy} is to be replaced`;
  const isHopeful = hostsOf(state).some((h) => !state.members.includes(h.name) && !isAside(h) && h.excluded === undefined && h.stage !== "refused");
  return { go: isHopeful ? "wait" : "fail", text: `${why}, and no spare is ${isHopeful ? "ready" : "left"}` };
}
