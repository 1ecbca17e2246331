/** How many hosts a run has, in words. */

import type { RunSpec } from "./spec.ts";

const many = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;

export function hostCount({ hosts, spares }: Pick<RunSpec, "hosts" | "spares">): string {
  const words = many(hosts.length - spares.length, "host");
  return spares.length === 0 ? words : `${words} and ${many(spares.length, "spare")}`;
}
