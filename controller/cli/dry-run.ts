/** `up --dry-run`: looks at the hosts, changes nothing, and prints what each would run. */

import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { EXIT, fail } from "../../cluster/errors.ts";
import { dryRunJson, formatDryRun, planDryRun } from "../../cluster/launch/dry-run.ts";
import { withPeerAddress } from "../../cluster/launch/peer-address.ts";
import { sanitise, sanitiseWord } from "../../cluster/sanitise.ts";
import type { HostFacts, HostSpec, RunSpec } from "../../cluster/spec.ts";
import { withoutHost } from "../../cluster/view/about-host.ts";
import { lookAt } from "../reach/bootstrap.ts";
import type { Options } from "./commands.ts";
import type { Context } from "./context.ts";
import { onHosts, withHost } from "./reach-host.ts";

/** Exit 4 when a host could not be looked at: its part of the plan is not known. */
export async function dryRun(context: Context, spec: RunSpec, options: Options): Promise<number> {
  context.say(`looking at ${spec.hosts.length} host${spec.hosts.length === 1 ? "" : "s"}; nothing is changed there`);
  const found = await onHosts(spec.hosts, (host) =>
    withHost(host, context, options, async (transport) => ({ facts: await lookAt(transport, host), dialled: transport.address })),
  );
  const facts = new Map<string, HostFacts>();
  for (const each of found) {
    if (each.ok) facts.set(each.host.name, each.value.facts);
    else context.say(`${sanitiseWord(each.host.name)}: not reached, so what it has is not known: ${withoutHost(each.host.name, each.problem.message)}`);
  }
  const missing = found.filter((each) => !each.ok);
  if (missing.length === found.length) {
    const [first] = missing;
    if (first !== undefined && !first.ok)
      throw Object.assign(fail("HOST_NOT_ASKED", { host: first.host.name, what: `what to run there: ${first.problem.message}` }), { hint: first.problem.hint });
  }
  const hosts = found.map((each) => withPeerAddress(each.host, each.ok ? each.value.dialled : null));
  const addresses = new Map(await Promise.all(hosts.map(async (host) => [host.name, await numericOf(host)] as const)));
  const plan = planDryRun(
    { ...spec, hosts },
    (host) => facts.get(host) ?? null,
    (host) => addresses.get(host),
  );
  if (context.json) context.printJson({ plan: dryRunJson(plan), notReached: missing.map((each) => (each.ok ? null : each.problem)) });
  else context.print(sanitise(formatDryRun(plan)));
  return missing.length > 0 ? EXIT.unreachable : EXIT.ok;
}

async function numericOf(host: HostSpec): Promise<readonly string[]> {
  if (isIP(host.address) > 0) return [host.address];
  return lookup(host.address, { all: true }).then(
    (all) => all.map((each) => each.address),
    () => [],
  );
}
