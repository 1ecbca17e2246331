/** The network interface by which a host's ranks talk to their peers. */

import { fail, type NexaError } from "../errors.ts";
import type { HostFacts, HostSpec } from "../spec.ts";

export type InterfaceChoice =
  | { readonly ok: true; readonly name: string; readonly family: "AF_INET" | "AF_INET6" | null; readonly why: string }
  | { readonly ok: false; readonly error: NexaError };

/** `addresses`: what peers use for this host, in numbers where it could be resolved. */
export function chooseInterface(host: HostSpec, facts: HostFacts, addresses: readonly string[]): InterfaceChoice {
  const there = facts.interfaces.map((each) => each.name).join(", ") || "none";
  if (host.interface !== undefined) {
    const named = facts.interfaces.find((each) => each.name === host.interface);
    if (named === undefined) return { ok: false, error: fail("INTERFACE_MISSING", { host: host.name, name: host.interface, there }) };
    const held = addresses.find((address) => holds(named.addresses, address)) ?? named.addresses[0];
    return { ok: true, name: named.name, family: familyOf(held), why: "the file names it" };
  }
  for (const address of addresses) {
    const found = facts.interfaces.find((each) => holds(each.addresses, address));
    if (found !== undefined) return { ok: true, name: found.name, family: familyOf(address), why: `holds ${address}, which the peers use` };
  }
  return { ok: false, error: fail("INTERFACE_UNKNOWN", { host: host.name, address: host.address, there }) };
}

/** True for loopback addresses and names, which mean another machine on every machine. */
export const isLoopback = (address: string): boolean => /^(localhost|127(\.\d{1,3}){3}|::1|0:0:0:0:0:0:0:1)$/i.test(address);

/** "fd7a::1" for "fd7a::1%tailscale0/64": scopes and prefix lengths are not part of an address. */
const bare = (address: string): string => address.replace(/[%/].*$/, "").toLowerCase();

function holds(addresses: readonly string[], wanted: string): boolean {
  const address = bare(wanted);
  // All of 127/8 is on the loopback interface, though it lists 127.0.0.1 only.
  if (/^127\./.test(address)) return addresses.some((each) => /^127\./.test(each));
  return addresses.some((each) => bare(each) === address);
}

function familyOf(address: string | undefined): "AF_INET" | "AF_INET6" | null {
  if (address === undefined) return null;
  if (address.includes(":")) return "AF_INET6";
  return /^\d+(\.\d+){3}$/.test(bare(address)) ? "AF_INET" : null;
}
