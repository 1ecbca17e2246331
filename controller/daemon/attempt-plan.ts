/** What a new attempt would be, or why it cannot be: names resolved, scripts compared, the plan made. */

import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { fail, type Problem, toProblem } from "../../cluster/errors.ts";
import { membersOf, type RunState } from "../../cluster/run/state.ts";
import { type Addresses, memberSpecs, refusalOf } from "./layout.ts";

export type Refusal = { readonly host: string; readonly problem: Problem };

/** Host → numeric addresses, for hosts whose address is a name. */
export async function resolveAddresses(state: RunState): Promise<Addresses> {
  const names = memberSpecs(state).filter((host) => isIP(host.address) === 0);
  return Object.fromEntries(await Promise.all(names.map(async (host) => [host.name, await resolveName(host.address)] as const)));
}

/** null: nothing stands against it. */
export async function refusalOfAttempt(state: RunState): Promise<Refusal | null> {
  const addresses = await resolveAddresses(state);
  return differingScripts(state) ?? refusalOf(state, addresses);
}

/** Under --no-sync every host must hold the same script. */
function differingScripts(state: RunState): { readonly host: string; readonly problem: Problem } | null {
  const hashes = membersOf(state).map((h) => [h.name, h.scriptSha256] as const);
  if (new Set(hashes.map(([, hash]) => hash)).size <= 1) return null;
  const what = hashes.map(([name, hash]) => `${name} ${hash?.slice(0, 12) ?? "has none"}`).join(", ");
  return { host: state.members[0] ?? "", problem: toProblem(fail("CODE_DIFFERS", { what })) };
}

const resolveName = (name: string): Promise<string[]> =>
  lookup(name, { all: true }).then(
    (found) => found.map(({ address }) => address),
    () => [],
  );
