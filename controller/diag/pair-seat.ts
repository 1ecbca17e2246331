/** A host's seat in the probes of links: its session, the ports it opened, and what of the others it found open. */

import { type Listening, listening, type Reached, reached } from "../../cluster/diag/pairs/answers.ts";
import { chooseInterface, type InterfaceChoice } from "../../cluster/launch/interface.ts";
import { portsToHold } from "../../cluster/launch/ports.ts";
import type { HostFacts, HostSpec, RunSpec } from "../../cluster/spec.ts";
import type { Transport } from "../reach/transport.ts";
import { openPeerSession, type PeerSession } from "./peer-session.ts";

/** A host that is reached and was looked at. `addresses`: what its `address` means in numbers, where it is a name. */
export type PairHost = { readonly host: HostSpec; readonly facts: HostFacts; readonly transport: Transport; readonly addresses?: readonly string[] };

export type Seat = PairHost & {
  readonly session: PeerSession;
  readonly choice: InterfaceChoice;
  readonly told: Listening;
};

/** Enough to tell a range that is open in part. */
const EPHEMERAL = 3;
const LISTEN_MS = 8_000;
/** Connects that time out, 64 at a time, and the answer. */
const REACH_MS = 15_000;

/** What all seats share. */
export type Sitting = {
  readonly spec: RunSpec;
  /** All hosts of the run, by what peers call them. */
  readonly specs: readonly HostSpec[];
  readonly token: string;
  readonly limitMs: number;
  readonly hasRdzv: boolean;
};

/** Errors: those of openPeerSession. */
export async function takeSeat(member: PairHost, { spec, specs, token, limitMs, hasRdzv }: Sitting): Promise<Seat> {
  const { name } = member.host;
  const choice = chooseInterface(member.host, member.facts, member.addresses ?? [member.host.address]);
  const session = await openPeerSession(member.transport, name, token, limitMs);
  try {
    const asked = { ports: portsOf(spec, specs, name, hasRdzv), addresses: boundAddresses(member, choice) };
    return { ...member, session, choice, told: listening.parse(await session.ask("listen", asked, LISTEN_MS)) };
  } catch (error) {
    session.close();
    throw error;
  }
}

type Port = { readonly kind: "rdzv" | "ephemeral"; readonly port: number };

/** The rendezvous' port where its store will be, one of the range where none is named, and ephemeral ones. */
function portsOf(spec: RunSpec, specs: readonly HostSpec[], name: string, hasRdzv: boolean): readonly Port[] {
  const ephemeral = Array.from({ length: EPHEMERAL }, (): Port => ({ kind: "ephemeral", port: 0 }));
  if (spec.launcher === "command" || !hasRdzv) return ephemeral;
  const { ports, range } = portsToHold(spec, specs, name);
  const [low, high] = range;
  const fresh = (): number => low + Math.floor(Math.random() * (high - low + 1));
  return [...ports.slice(0, 1).map(({ port }): Port => ({ kind: "rdzv", port: port === 0 ? fresh() : port })), ...ephemeral];
}

/** What its ranks would bind, best first: what the interface of the file holds, else what peers call it. */
function boundAddresses({ host, facts }: PairHost, choice: InterfaceChoice): readonly string[] {
  const held = choice.ok ? (facts.interfaces.find(({ name }) => name === choice.name)?.addresses ?? []) : [];
  if (host.interface === undefined || held.includes(host.address)) return [host.address];
  const inFamily = held.filter((address) => choice.ok && (choice.family === "AF_INET6") === address.includes(":"));
  return [...inFamily, host.address];
}

/** The store is found by the name that the launcher is given, ranks by the address of their interface. */
export const addressOf = ({ host, told }: Seat, kind: "rdzv" | "ephemeral" | "ssh" = "ephemeral"): string =>
  kind !== "ephemeral" || told.address === "" ? host.address : told.address;

/** All ports of all others at once. Errors: those of a session. */
export async function knockAtAll(seat: Seat, seats: readonly Seat[]): Promise<readonly Reached[]> {
  const targets = seats
    .filter((other) => other !== seat)
    .flatMap((other) => {
      const open = other.told.ports.filter(({ outcome }) => outcome === "open");
      const ssh = { kind: "ssh" as const, port: other.host.port ?? 22 };
      return [...open, ssh].map(({ kind, port }) => ({ to: other.host.name, kind, port, address: addressOf(other, kind) }));
    });
  return targets.length === 0 ? [] : reached.parse(await seat.session.ask("reach", { targets }, REACH_MS)).ports;
}
