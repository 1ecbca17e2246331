/** Makes one probe of a way between two hosts out of what both sides said. */

import type { PairProbe } from "../check.ts";
import type { Listening, Measured, Reached } from "./answers.ts";

const NOTHING = { ports: [], latencyMs: null, bandwidth: null, mtu: null, route: null } as const;

export const unmeasured = (from: string, to: string, why: string): PairProbe => ({ ...NOTHING, from, to, why });

/** What a host said of its own ports. */
export const ofItself = (host: string, { ports }: Listening): PairProbe => ({
  ...NOTHING,
  from: host,
  to: host,
  ports: ports.map(({ kind, port, outcome, detail }) => ({ port, kind, outcome, ms: 0, ...(detail === undefined ? {} : { detail }) })),
});

type Said = {
  readonly from: string;
  readonly to: string;
  readonly address: string;
  readonly reached: readonly Reached[];
  readonly measured: Measured | undefined;
  readonly bandwidth: number | undefined;
  /** The interface that ranks of `from` will be told. */
  readonly wanted: string | undefined;
  /** The interface of `from` that holds an address: for kernels that do not tell which one a route takes. */
  readonly holderOf: (address: string) => string;
};

export function probeOf({ from, to, address, reached, measured, bandwidth, wanted, holderOf }: Said): PairProbe {
  const route = measured?.route;
  const mine = reached.filter((each) => each.to === to);
  return {
    from,
    to,
    address,
    isAnswering: mine.some(({ outcome, isAnswered }) => outcome === "open" || outcome === "refused" || isAnswered === true),
    ports: mine.flatMap(({ kind, port, outcome, ms, detail }) =>
      kind === "ssh" ? [] : [{ port, kind, outcome, ms, ...(detail === undefined ? {} : { detail }) }],
    ),
    latencyMs: measured?.latencyMs ?? null,
    bandwidth: bandwidth ?? null,
    mtu: measured?.mtu ?? null,
    bigWrites: measured?.bigWrites ?? null,
    ...(typeof measured?.tailscalePing === "string" ? { tailscalePing: measured.tailscalePing } : {}),
    route: route ? { interface: route.interface || holderOf(route.source), source: route.source, ...(wanted === undefined ? {} : { wanted }) } : null,
  };
}
