/** Which host holds which port of an attempt, and how an endpoint is written. */

import { fail } from "../errors.ts";
import type { HostSpec, RunSpec } from "../spec.ts";

/** Below the ephemeral range of every common system (Linux from 32768), above what services like. */
const FRESH: readonly [number, number] = [20_000, 29_999];

export type HeldPort = { readonly use: "rdzv" | "master" /** 0: the shim chooses. */; readonly port: number };

/** Index of the host where torchrun's rendezvous store lives. */
export function rdzvIndex(spec: Pick<RunSpec, "rdzv" | "launcher">, hosts: readonly HostSpec[]): number {
  const { rdzv } = spec;
  if (rdzv === null) return 0;
  const index = hosts.findIndex((host) => host.name === rdzv.host || host.address === rdzv.host);
  if (index < 0) throw fail("RDZV_HOST", { host: rdzv.host, hosts: hosts.map((host) => host.name).join(", ") });
  if (index > 0 && spec.launcher !== "torchrun") throw fail("RDZV_NOT_FIRST", { host: rdzv.host, launcher: spec.launcher, first: hosts[0]?.name ?? "" });
  return index;
}

/** The hosts whose shims hold ports: the rendezvous' on its host, MASTER_PORT where rank 0 runs. */
export function storeHost(spec: Pick<RunSpec, "rdzv" | "launcher">, hosts: readonly HostSpec[]): { readonly rdzv: string | null; readonly master: string } {
  const at = hosts[rdzvIndex(spec, hosts)]?.name;
  const master = hosts[0]?.name;
  if (at === undefined || master === undefined) throw fail("RDZV_HOST", { host: spec.rdzv?.host ?? "", hosts: "none" });
  return { rdzv: spec.launcher === "torchrun" ? at : null, master };
}

/** What the shim of `host` is asked to hold, in this order; `hosts` are those of the attempt, in file order. */
export function portsToHold(
  spec: Pick<RunSpec, "rdzv" | "rdzvPorts" | "launcher">,
  hosts: readonly HostSpec[],
  host: string,
): { readonly ports: readonly HeldPort[]; readonly range: readonly [number, number] } {
  const store = storeHost(spec, hosts);
  const named = spec.rdzv?.port ?? 0;
  const ports: HeldPort[] = [];
  if (store.rdzv === host) ports.push({ use: "rdzv", port: named });
  if (store.master === host) ports.push({ use: "master", port: spec.launcher === "torchrun" ? 0 : named });
  return { ports, range: spec.rdzvPorts ?? FRESH };
}

export const endpoint = (address: string, port: number): string => (address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`);
