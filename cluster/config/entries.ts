/** The entries of `cluster:` and `spares:` with defaults laid under them and ranges written out: one item per host. */

import { expandRange } from "./host-range.ts";
import type { ClusterFile, Entry, HostKeys } from "./schema.ts";

export type HostList = "cluster" | "spares";

export type HostEntry = {
  /** Which entry of which list of the file it comes from. */
  readonly list: HostList;
  readonly index: number;
  readonly host: string;
  readonly address: string;
  /** The entry's keys over the defaults; env is merged, `slots` and `gpus` go together. */
  readonly keys: HostKeys;
};

/** Those of `cluster` first. Empty for a file whose hosts are in another file that is not read yet. */
export function hostEntries(file: ClusterFile): readonly HostEntry[] {
  if (typeof file.cluster === "string") return [];
  const of = (list: HostList, entries: readonly Entry[]): HostEntry[] =>
    entries.flatMap((entry, index) => {
      const keys = overDefaults(file.defaults ?? {}, entry);
      const hosts = names(entry.host);
      const addresses = names(keys.address ?? (keys.transport === "local" ? "127.0.0.1" : entry.host));
      return hosts.map((host, i) => ({ list, index, host, address: addresses[i] ?? addresses[0] ?? host, keys }));
    });
  return [...of("cluster", file.cluster), ...of("spares", file.spares ?? [])];
}

/** The entry as it is written; undefined while the hosts are in a file that is not read yet. */
export const writtenEntry = (file: ClusterFile, { list, index }: Pick<HostEntry, "list" | "index">): Entry | undefined =>
  list === "spares" ? file.spares?.[index] : typeof file.cluster === "string" ? undefined : file.cluster[index];

/** How many addresses an entry names, when that cannot fit its hosts; null: it fits. */
export function addressMismatch(entry: HostKeys, host: string): { readonly hosts: number; readonly addresses: number } | null {
  if (entry.address === undefined) return null;
  const hosts = names(host).length;
  const addresses = names(entry.address).length;
  return hosts === addresses ? null : { hosts, addresses };
}

function names(text: string): readonly string[] {
  const expanded = expandRange(text);
  return expanded.ok ? expanded.names : [text];
}

function overDefaults(defaults: HostKeys, { host: _, ...entry }: Entry): HostKeys {
  const env = { ...defaults.env, ...entry.env };
  const merged = { ...defaults, ...entry, env };
  // Slots belong to gpus: 0: an entry that names real GPUs does not inherit them.
  if (entry.gpus !== undefined && entry.gpus !== 0 && entry.slots === undefined) delete merged.slots;
  return merged;
}
