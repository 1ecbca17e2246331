/** Which way between hosts is broken, in words, from who could not reach whom. */

import { attribute, type Blame, type Way } from "../diag/pairs/attribute.ts";

export type BrokenWay = { readonly text: string; readonly host: string | null };

/** The worst first: a host that is cut off explains more than a link does. */
export const brokenWays = (ways: readonly Way[]): readonly BrokenWay[] =>
  attribute(ways).map((blame) => ({ text: tell(blame), host: blame.kind === "host" ? blame.host : null }));

function tell(blame: Blame): string {
  if (blame.kind === "plan") return "none of the hosts reaches another";
  if (blame.kind === "link") return blame.direction === "both" ? `${blame.a} and ${blame.b} cannot reach each other` : `${blame.a} cannot reach ${blame.b}`;
  const { host, direction } = blame;
  if (direction === "both") return `${host} is cut off from the other hosts`;
  return direction === "in" ? `no other host reaches ${host}` : `${host} reaches no other host`;
}

/** The ways themselves, for who wants to see it proved. */
export const provenBy = (ways: readonly Way[]): readonly string[] =>
  ways.filter(({ isBad }) => isBad).map(({ from, to }) => `${from}: nothing answers at the SSH port of ${to}`);
