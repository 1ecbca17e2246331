/** How many hosts a run has, in words. */

import type { RunState } from "./run/state.ts";
import type { RunSpec } from "./spec.ts";

const many = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;

export function hostCount({ hosts, spares }: Pick<RunSpec, "hosts" | "spares">): string {
  const words = many(hosts.length - spares.length, "host");
  return spares.length === 0 ? words : `${words} and ${many(spares.length, "spare")}`;
}

/** Those that its ranks are on, and of how many where that is fewer than the file names. */
export function hostShare({ hosts, spares }: Pick<RunSpec, "hosts" | "spares">, { attempt, members }: Pick<RunState, "attempt" | "members">) {
  const named = hosts.length - spares.length;
  return attempt === 0 || members.length >= named ? { hosts: attempt === 0 ? named : members.length } : { hosts: members.length, of: named };
}
