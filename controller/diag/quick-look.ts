/** The quick tier on hosts that are reached already: what a controller asks before it launches. */

import { CHECKS } from "../../cluster/diag/catalogue.ts";
import type { Result } from "../../cluster/diag/check.ts";
import { judgeHosts, type Look } from "../../cluster/diag/judge.ts";
import { toProblem } from "../../cluster/errors.ts";
import type { HostFacts, HostSpec, RunSpec } from "../../cluster/spec.ts";
import type { Transport } from "../reach/transport.ts";
import { probeHost } from "./probe-host.ts";

export type ReachedHost = { readonly host: HostSpec; readonly transport: Transport; readonly facts: HostFacts };

/** Never rejects for a host: one that cannot be looked at is a result. */
export async function quickLook(hosts: readonly ReachedHost[], spec: RunSpec, now: number): Promise<readonly Result[]> {
  const looks = await Promise.all(
    hosts.map(
      ({ host, transport, facts }): Promise<Look> =>
        probeHost(transport, host, spec, { tier: "quick", connectMs: 0, facts }).then(
          (probe) => ({ host, probe }),
          (error: unknown) => ({ host, problem: toProblem(error, host.name) }),
        ),
    ),
  );
  const quick = CHECKS.filter((check) => check.tier === "quick");
  return judgeHosts(quick, looks, { spec, tier: "quick", now });
}
