/** What probes of links bring from hosts that have nothing to complain of. */

import type { PairProbe } from "../../cluster/diag/check.ts";

export const hostNames = (count: number): readonly string[] => Array.from({ length: count }, (_, k) => `h${k}`);

export const RDZV_PORT = 29_500;
const ephemeral = [40_001, 40_002, 40_003].map((port) => ({ port, kind: "ephemeral", outcome: "open", ms: 1 }) as const);
const rdzv = { port: RDZV_PORT, kind: "rdzv", outcome: "open", ms: 1 } as const;

/** All ways between so many hosts, and each host's own word; the rendezvous is on the first. */
export function goodPairs(count: number): readonly PairProbe[] {
  const names = hostNames(count);
  return names.flatMap((from, k) =>
    names.map((to, j): PairProbe => {
      const ports = j === 0 ? [rdzv, ...ephemeral] : ephemeral;
      if (k === j) return { from, to, ports, latencyMs: null, bandwidth: null, mtu: null, route: null };
      return {
        from,
        to,
        address: `10.0.0.${j + 1}`,
        isAnswering: true,
        ports,
        latencyMs: { p50: 0.2, max: 0.4, lost: 0 },
        bandwidth: null,
        mtu: { path: 1500, interface: 1500 },
        bigWrites: "through",
        route: { interface: "eth0", source: `10.0.0.${k + 1}`, wanted: "eth0" },
      };
    }),
  );
}
