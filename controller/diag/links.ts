/** The links between the hosts of a diagnosis that were reached: probed when a check asks for them. */

import { aliveOn } from "../../cluster/diag/alive.ts";
import type { Check, PairProbe, Tier } from "../../cluster/diag/check.ts";
import type { Look } from "../../cluster/diag/judge.ts";
import type { HostSpec, RunSpec } from "../../cluster/spec.ts";
import type { Transport } from "../reach/transport.ts";
import { probePairs } from "./pairs.ts";

/** Of pairs too are the trials, which need a run each. */
export const isOfLinks = ({ group }: Pick<Check, "group">): boolean => group !== "distributed";

/** Of all ways together, begun after the hosts were looked at: quick stays below 20 s in all, full below 3 min. */
const LIMIT_MS: Readonly<Record<Tier, number>> = { quick: 5_000, full: 90_000, deep: 90_000 };

export type LinksAsked = {
  readonly spec: RunSpec;
  readonly tier: Tier;
  readonly checks: readonly Check[];
  readonly looks: readonly Look[];
  readonly open: readonly { readonly host: HostSpec; readonly transport: Transport }[];
  readonly addresses: Readonly<Record<string, readonly string[]>>;
};

export async function lookAtLinks({ spec, tier, checks, looks, open, addresses }: LinksAsked): Promise<readonly PairProbe[]> {
  if (!checks.some((check) => check.scope === "pair" && (isOfLinks(check) || check.id === "dist.comm_budget"))) return [];
  const hosts = looks.flatMap((look) => {
    const transport = open.find(({ host }) => host.name === look.host.name)?.transport;
    if (!("probe" in look) || transport === undefined) return [];
    const numeric = addresses[look.host.name];
    return [{ host: look.host, facts: look.probe.facts, transport, ...(numeric === undefined ? {} : { addresses: numeric }) }];
  });
  // Nothing that fills links while ranks need them.
  const asked = aliveOn(looks).length > 0 ? "quick" : tier;
  return probePairs(hosts, { spec, tier: asked, limitMs: LIMIT_MS[asked] });
}
