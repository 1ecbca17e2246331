/** The quick tier on hosts that are reached already: what a controller asks before it launches. */

import { CHECKS } from "../../cluster/diag/catalogue.ts";
import type { DiagContext, Result } from "../../cluster/diag/check.ts";
import { judgeHosts, judgePairs, type Look } from "../../cluster/diag/judge.ts";
import { toProblem } from "../../cluster/errors.ts";
import { withPeerAddress } from "../../cluster/launch/peer-address.ts";
import type { HostFacts, HostSpec, RunSpec } from "../../cluster/spec.ts";
import type { Transport } from "../reach/transport.ts";
import { numericAddresses } from "./addresses.ts";
import { isOfLinks } from "./links.ts";
import { probePairs } from "./pairs.ts";
import { probeHost } from "./probe-host.ts";

export type ReachedHost = { readonly host: HostSpec; readonly transport: Transport; readonly facts: HostFacts };

/** No link is asked later: a launch waits for it. */
const LINKS_MS = 3_000;

/** Never rejects for a host: one that cannot be looked at is a result. */
export async function quickLook(reached: readonly ReachedHost[], spec: RunSpec, now: number): Promise<readonly Result[]> {
  const hosts = reached.map((each) => ({ ...each, host: withPeerAddress(each.host, each.transport.address) }));
  const addresses = await numericAddresses(hosts.map(({ host }) => host));
  const members = hosts.map((each) => ({ ...each, addresses: addresses[each.host.name] ?? [each.host.address] }));
  // Of ranks that another program starts nobody knows whether they talk to each other.
  const hasLinks = members.length > 1 && spec.launcher !== "command";
  const [looks, pairs] = await Promise.all([
    Promise.all(
      hosts.map(
        ({ host, transport, facts }): Promise<Look> =>
          probeHost(transport, host, spec, { tier: "quick", connectMs: 0, facts, isAboutToLaunch: true }).then(
            (probe) => ({ host, probe }),
            (error: unknown) => ({ host, problem: toProblem(error, host.name) }),
          ),
      ),
    ),
    hasLinks ? probePairs(members, { spec, tier: "quick", limitMs: LINKS_MS, isAboutToLaunch: true }) : [],
  ]);
  const quick = CHECKS.filter((check) => check.tier === "quick");
  const context: DiagContext = { spec, tier: "quick", now, addresses };
  const links = quick.filter((check) => check.scope === "pair").filter(isOfLinks);
  return [...judgeHosts(quick, looks, context), ...judgePairs(links, pairs, context)];
}
