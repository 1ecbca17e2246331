/** Conducts the probes of the links between hosts: a session on each, all ports listen, then everybody knocks at everybody and measures. Bounded in time. */

import { randomBytes } from "node:crypto";
import type { PairProbe, Tier } from "../../cluster/diag/check.ts";
import { type Measured, measured, type Reached } from "../../cluster/diag/pairs/answers.ts";
import { ofItself, probeOf, unmeasured } from "../../cluster/diag/pairs/assemble.ts";
import { slowOf } from "../../cluster/diag/pairs/bandwidth.ts";
import { roundsOf } from "../../cluster/diag/pairs/rounds.ts";
import { toProblem } from "../../cluster/errors.ts";
import { withPeerAddress } from "../../cluster/launch/peer-address.ts";
import type { RunSpec } from "../../cluster/spec.ts";
import { addressOf, knockAtAll, type PairHost, type Seat, takeSeat } from "./pair-seat.ts";

export type PairsAsked = {
  readonly spec: RunSpec;
  readonly tier: Tier;
  /** Nothing is begun later than this after the call; what is left is told as not measured. */
  readonly limitMs: number;
  /** The rendezvous' port is left alone: a shim may be about to hold it. */
  readonly isAboutToLaunch?: true;
};

const BANDWIDTH_S = 1;
/** Of one way: two sides that connect, the second itself, and a far end that goes on reading. */
const ONE_WAY_MS = 12_000;
/** What is slow is measured again: other work on a host or a link passes, a bad cable does not. */
const SECOND_PASSES = 2;

/**
 * One probe for each way between two hosts, and one from each host to itself: whether it could listen. `hosts`: those of `spec` that were reached.
 * Never rejects: what failed is said in `why`. Leaves nothing on the hosts.
 */
export async function probePairs(hosts: readonly PairHost[], { spec, tier, limitMs, isAboutToLaunch }: PairsAsked): Promise<readonly PairProbe[]> {
  const until = Date.now() + limitMs;
  const token = randomBytes(16).toString("hex");
  const members = hosts.map((each) => ({ ...each, host: withPeerAddress(each.host, each.transport.address) }));
  const specs = spec.hosts.map((host) => members.find((member) => member.host.name === host.name)?.host ?? host);
  const sitting = { spec, specs, token, limitMs: limitMs + 3 * ONE_WAY_MS, hasRdzv: isAboutToLaunch !== true };
  const failed = new Map<string, string>();
  const seats: Seat[] = [];
  const orFail = async <T>(name: string, asking: Promise<T>): Promise<T | null> => {
    try {
      return await asking;
    } catch (error) {
      failed.set(name, toProblem(error, name).message);
      return null;
    }
  };
  try {
    await Promise.all(
      members.map(async (member) => {
        const seat = await orFail(member.host.name, takeSeat(member, sitting));
        if (seat !== null) seats.push(seat);
      }),
    );
    seats.sort((a, b) => specs.indexOf(a.host) - specs.indexOf(b.host));
    const reached = new Map<string, readonly Reached[]>();
    await Promise.all(seats.map(async (seat) => reached.set(seat.host.name, (await orFail(seat.host.name, knockAtAll(seat, seats))) ?? [])));
    const times = new Map<string, Measured>();
    await Promise.all(seats.map((seat) => measureAll({ seat, seats, reached, until }, times)));
    const bandwidths = tier === "quick" ? new Map<string, number>() : await measureBandwidths(seats, reached, until);
    return members.flatMap(({ host: { name: from } }) =>
      members.map(({ host: { name: to } }) => {
        const [seat, other] = [from, to].map((name) => seats.find(({ host }) => host.name === name));
        if (seat === undefined || other === undefined || failed.has(from))
          return unmeasured(from, to, failed.get(seat === undefined || failed.has(from) ? from : to) ?? "");
        if (from === to) return ofItself(from, seat.told);
        return probeOf({
          from,
          to,
          address: addressOf(other),
          reached: reached.get(from) ?? [],
          measured: times.get(key(from, to)),
          bandwidth: bandwidths.get(key(from, to)),
          wanted: seat.choice.ok ? seat.choice.name : undefined,
          holderOf: (address) => seat.facts.interfaces.find(({ addresses }) => addresses.includes(address))?.name ?? "",
        });
      }),
    );
  } finally {
    for (const { session } of seats) session.close();
  }
}

const key = (from: string, to: string): string => `${from}\n${to}`;

type Peer = { readonly to: string; readonly address: string; readonly port: number; readonly udp: number };

/** Where a peer can be measured: a port of it that was found open; null: none was. */
function peerOf(other: Seat, reached: readonly Reached[]): Peer | null {
  const open = reached.find(({ to, kind, outcome }) => to === other.host.name && kind === "ephemeral" && outcome === "open");
  return open === undefined ? null : { to: other.host.name, address: addressOf(other), port: open.port, udp: other.told.udp };
}

type Measuring = {
  readonly seat: Seat;
  readonly seats: readonly Seat[];
  readonly reached: ReadonlyMap<string, readonly Reached[]>;
  readonly until: number;
};

/** Every host begins with another one, so that not all ask the same at once. */
async function measureAll({ seat, seats, reached, until }: Measuring, into: Map<string, Measured>): Promise<void> {
  const { name } = seat.host;
  const at = seats.indexOf(seat);
  const peers = [...seats.slice(at + 1), ...seats.slice(0, at)].map((other) => peerOf(other, reached.get(name) ?? [])).filter((peer) => peer !== null);
  const leftMs = until - Date.now();
  if (peers.length === 0 || leftMs <= 0) return;
  const found = await seat.session.ask("measure", { peers, limitS: leftMs / 1000 }, leftMs + ONE_WAY_MS).then(
    (answer) => measured.parse(answer).peers,
    () => [], // told as not measured
  );
  for (const each of found) into.set(key(name, each.to), each);
}

/** In rounds of disjoint pairs, one way and then the other: no two of them share a host's link. */
async function measureBandwidths(seats: readonly Seat[], reached: Measuring["reached"], until: number): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  const measureOne = async (from: Seat, to: Seat): Promise<void> => {
    const peer = peerOf(to, reached.get(from.host.name) ?? []);
    if (peer === null) return;
    const [one] = await from.session.ask("measure", { peers: [peer], limitS: 1, bandwidthS: BANDWIDTH_S }, ONE_WAY_MS).then(
      (answer) => measured.parse(answer).peers,
      () => [],
    );
    const way = key(from.host.name, peer.to);
    if (typeof one?.bandwidth === "number") found.set(way, Math.max(one.bandwidth, found.get(way) ?? 0));
  };
  const allRounds = async (isWanted: (way: string) => boolean): Promise<void> => {
    for (const round of roundsOf(seats)) {
      for (const [froms, tos] of [
        [0, 1],
        [1, 0],
      ] as const) {
        const ways = round.map((pair) => [pair[froms], pair[tos]] as const).filter(([from, to]) => isWanted(key(from.host.name, to.host.name)));
        if (ways.length > 0 && Date.now() < until) await Promise.all(ways.map(([from, to]) => measureOne(from, to)));
      }
    }
  };
  await allRounds(() => true);
  for (let pass = 0; pass < SECOND_PASSES; pass += 1) {
    const slow = slowOf(found);
    if (slow.size === 0) break;
    await allRounds((way) => slow.has(way));
  }
  return found;
}
