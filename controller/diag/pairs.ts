/** Conducts the probes of the links between hosts: a session on each, all ports listen, then everybody knocks at everybody and measures. Bounded in time. */

import { randomBytes } from "node:crypto";
import type { z } from "zod";
import type { PairProbe, Tier } from "../../cluster/diag/check.ts";
import { type Listening, listening, type Measured, measured, reached } from "../../cluster/diag/pairs/answers.ts";
import { roundsOf } from "../../cluster/diag/pairs/rounds.ts";
import { toProblem } from "../../cluster/errors.ts";
import { chooseInterface } from "../../cluster/launch/interface.ts";
import { withPeerAddress } from "../../cluster/launch/peer-address.ts";
import { portsToHold } from "../../cluster/launch/ports.ts";
import type { HostFacts, HostSpec, RunSpec } from "../../cluster/spec.ts";
import type { Transport } from "../reach/transport.ts";
import { openPeerSession, type PeerSession } from "./peer-session.ts";

/** A host that is reached and was looked at. */
export type PairHost = { readonly host: HostSpec; readonly facts: HostFacts; readonly transport: Transport };

export type PairsAsked = {
  readonly spec: RunSpec;
  readonly tier: Tier;
  /** Nothing is begun later than this after the call; what is left is told as not measured. */
  readonly limitMs: number;
};

/** Enough to tell a range that is open in part. */
const EPHEMERAL = 3;
const LISTEN_MS = 8_000;
/** Three connects that time out behind one another in 64 at a time, and an answer. */
const REACH_MS = 15_000;
const BANDWIDTH_MS = 1_000;
/** Of one way: two sides that connect, the second itself, and a far end that goes on reading. */
const ONE_WAY_MS = 12_000;

type Seat = PairHost & { readonly session: PeerSession; readonly told: Listening; readonly reached: readonly Reached[] };
type Reached = z.infer<typeof reached>["ports"][number];

/** One probe for each way between two hosts, and one from each host to itself: whether it could listen. Never rejects: what failed is said in `why`. */
export async function probePairs(hosts: readonly PairHost[], { spec, tier, limitMs }: PairsAsked): Promise<readonly PairProbe[]> {
  const until = Date.now() + limitMs;
  const token = randomBytes(16).toString("hex");
  const members = hosts.map((each) => ({ ...each, host: withPeerAddress(each.host, each.transport.address) }));
  const specs = members.map(({ host }) => host);
  const failed = new Map<string, string>();
  const sessions: PeerSession[] = [];
  const seatOne = async (member: PairHost): Promise<Seat | null> => {
    const { name } = member.host;
    try {
      const session = await openPeerSession(member.transport, name, token, limitMs + 20_000);
      sessions.push(session);
      const ask = { ports: portsOf(spec, specs, name), addresses: addressesOf(member) };
      return { ...member, session, told: listening.parse(await session.ask("listen", ask, LISTEN_MS)), reached: [] };
    } catch (error) {
      failed.set(name, toProblem(error, name).message);
      return null;
    }
  };
  try {
    const seated = (await Promise.all(members.map(seatOne))).filter((seat) => seat !== null);
    const seats = await Promise.all(seated.map((seat) => knockAtAll(seat, seated, failed)));
    const measuredBy = await Promise.all(seats.map((seat) => measureAll(seat, seats, until)));
    const bandwidths = tier === "quick" ? new Map<string, number>() : await measureBandwidths(seats, until);
    const ways = new Map(seats.map((seat, k) => [seat.host.name, { seat, measured: measuredBy[k] ?? new Map<string, Measured>() }]));
    return specs.flatMap((from) =>
      specs.map((to) => {
        const way = ways.get(from.name);
        const why = failed.get(from.name) ?? failed.get(to.name);
        if (way === undefined || why !== undefined) return unmeasured(from.name, to.name, why ?? "it was not probed");
        return from === to ? ofItself(way.seat) : probeOf(way.seat, to.name, way.measured.get(to.name), bandwidths.get(key(from.name, to.name)));
      }),
    );
  } finally {
    for (const session of sessions) session.close();
  }
}

const key = (from: string, to: string): string => `${from}\n${to}`;

const unmeasured = (from: string, to: string, why: string): PairProbe => ({
  from,
  to,
  why,
  ports: [],
  latencyMs: null,
  bandwidth: null,
  mtu: null,
  route: null,
});

/** The rendezvous' port where its store will be, a fresh one there where none is named, and ephemeral ones. */
function portsOf(spec: RunSpec, hosts: readonly HostSpec[], name: string): readonly { readonly kind: "rdzv" | "ephemeral"; readonly port: number }[] {
  const ephemeral = Array.from({ length: EPHEMERAL }, () => ({ kind: "ephemeral" as const, port: 0 }));
  const { ports, range } = portsToHold(spec, hosts, name);
  const named = spec.launcher === "command" ? [] : ports.slice(0, 1);
  return [
    ...named.map(({ port }) => ({ kind: "rdzv" as const, port: port === 0 ? range[0] + Math.floor(Math.random() * (range[1] - range[0] + 1)) : port })),
    ...ephemeral,
  ];
}

/** What its ranks would bind, best first: what the interface of the file holds, else what peers call it. */
function addressesOf({ host, facts }: PairHost): readonly string[] {
  const choice = chooseInterface(host, facts, [host.address]);
  const held = choice.ok ? (facts.interfaces.find(({ name }) => name === choice.name)?.addresses ?? []) : [];
  if (host.interface === undefined || held.includes(host.address)) return [host.address];
  const inFamily = held.filter((address) => choice.ok && (choice.family === "AF_INET6") === address.includes(":"));
  return [...inFamily, host.address];
}

async function knockAtAll(seat: Seat, seats: readonly Seat[], failed: Map<string, string>): Promise<Seat> {
  const { name } = seat.host;
  const targets = seats
    .filter((other) => other.host.name !== name)
    .flatMap((other) =>
      other.told.ports
        .filter(({ outcome }) => outcome === "open")
        // The store is found by the name that the launcher is given, ranks by the address of their interface.
        .map(({ kind, port }) => ({
          to: other.host.name,
          kind,
          port,
          address: kind === "rdzv" || other.told.address === "" ? other.host.address : other.told.address,
        })),
    );
  if (targets.length === 0) return seat;
  try {
    return { ...seat, reached: reached.parse(await seat.session.ask("reach", { targets }, REACH_MS)).ports };
  } catch (error) {
    failed.set(name, toProblem(error, name).message);
    return seat;
  }
}

/** Where a peer can be measured: a port of it that was found open. */
function peerOf(seat: Seat, other: Seat): { readonly to: string; readonly address: string; readonly port: number; readonly udp: number } | null {
  const open = seat.reached.find(({ to, kind, outcome }) => to === other.host.name && kind === "ephemeral" && outcome === "open");
  if (open === undefined) return null;
  return { to: other.host.name, address: other.told.address === "" ? other.host.address : other.told.address, port: open.port, udp: other.told.udp };
}

/** Every host begins with another one, so that not all ask the same at once. */
async function measureAll(seat: Seat, seats: readonly Seat[], until: number): Promise<ReadonlyMap<string, Measured>> {
  const at = seats.findIndex(({ host }) => host.name === seat.host.name);
  const others = [...seats.slice(at + 1), ...seats.slice(0, at)];
  const peers = others.map((other) => peerOf(seat, other)).filter((peer) => peer !== null);
  const leftMs = until - Date.now();
  if (peers.length === 0 || leftMs <= 0) return new Map();
  try {
    const found = measured.parse(await seat.session.ask("measure", { peers, limitS: leftMs / 1000 }, leftMs + ONE_WAY_MS));
    return new Map(found.peers.map((each) => [each.to, each]));
  } catch {
    return new Map(); // told as not measured
  }
}

/** In rounds of disjoint pairs, one way and then the other: no two of them share a host's link. */
async function measureBandwidths(seats: readonly Seat[], until: number): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  const measureOne = async (from: Seat, to: Seat): Promise<void> => {
    const peer = peerOf(from, to);
    if (peer === null) return;
    const asked = { peers: [peer], limitS: 1, bandwidthS: BANDWIDTH_MS / 1000 };
    const [one] = await from.session.ask("measure", asked, ONE_WAY_MS).then(
      (answer) => measured.parse(answer).peers,
      () => [],
    );
    if (typeof one?.bandwidth === "number") found.set(key(from.host.name, to.host.name), one.bandwidth);
  };
  for (const round of roundsOf(seats)) {
    for (const isBack of [false, true]) {
      if (Date.now() > until) return found;
      await Promise.all(round.map(([a, b]) => (isBack ? measureOne(b, a) : measureOne(a, b))));
    }
  }
  return found;
}

function ofItself({ host, told }: Seat): PairProbe {
  const ports = told.ports.map(({ kind, port, outcome, detail }) => ({ port, kind, outcome, ms: 0, ...(detail === undefined ? {} : { detail }) }));
  return { from: host.name, to: host.name, ports, latencyMs: null, bandwidth: null, mtu: null, route: null };
}

function probeOf(seat: Seat, to: string, found: Measured | undefined, bandwidth: number | undefined): PairProbe {
  const { route } = found ?? {};
  return {
    from: seat.host.name,
    to,
    ports: seat.reached
      .filter((each) => each.to === to)
      .map(({ kind, port, outcome, ms, detail }) => ({ port, kind, outcome, ms, ...(detail === undefined ? {} : { detail }) })),
    latencyMs: found?.latencyMs ?? null,
    bandwidth: bandwidth ?? null,
    mtu: found?.mtu ?? null,
    bigWrites: found?.bigWrites ?? null,
    route: route ? { interface: route.interface || interfaceOf(seat.facts, route.source), source: route.source } : null,
  };
}

/** Where the kernel did not tell the interface: the one that holds the source address. */
const interfaceOf = (facts: HostFacts, source: string): string => facts.interfaces.find(({ addresses }) => addresses.includes(source))?.name ?? "";
