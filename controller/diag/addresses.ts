/** What the addresses of hosts mean in numbers, as the controller resolves them. */

import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { HostSpec } from "../../cluster/spec.ts";

/** Host → numbers, for hosts whose address is a name; none where it cannot be resolved. */
export async function numericAddresses(hosts: readonly HostSpec[]): Promise<Readonly<Record<string, readonly string[]>>> {
  const named = hosts.filter(({ address }) => isIP(address) === 0);
  return Object.fromEntries(await Promise.all(named.map(async ({ name, address }) => [name, await resolveName(address)] as const)));
}

const resolveName = (name: string): Promise<readonly string[]> =>
  lookup(name, { all: true }).then(
    (found) => found.map(({ address }) => address),
    () => [],
  );
