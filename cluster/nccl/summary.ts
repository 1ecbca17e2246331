/** What NCCL did on all ranks of a run: its version, its networks, and which way each pair of ranks really goes. */

import type { NcclFact } from "./read-line.ts";

export type Way = "p2p" | "shm" | "socket" | "rdma" | "other";

export type NcclRank = {
  readonly rank: number;
  readonly host: string;
  readonly version: string | null;
  readonly network: string | null;
  readonly devices: Readonly<Record<"IB" | "Socket", readonly string[] | null>>;
  /** Of nvidia-smi, as the host numbers its GPUs. */
  readonly gpu: number | null;
  /** Communicators that were begun, and that were ready. */
  readonly begun: number;
  readonly ready: number;
  readonly set: Readonly<Record<string, string>>;
  readonly p2pDisabled: readonly (readonly [number, number])[];
  readonly hasGdr: boolean | null;
  readonly warnings: readonly string[];
};

export type NcclPair = { readonly from: number; readonly to: number; readonly via: string; readonly way: Way; readonly channels: number };

export type NcclSummary = {
  readonly ranks: readonly NcclRank[];
  /** Of the communicator of all ranks, or of the largest one. */
  readonly world: number | null;
  readonly channels: number | null;
  /** The order in which the first ring goes through the ranks; null: not told. */
  readonly ring: readonly number[] | null;
  readonly pairs: readonly NcclPair[];
};

const WARNINGS = 20;

type Links = { readonly ranks: number; readonly links: Map<string, { from: number; to: number; via: string; count: number }>; ring: readonly number[] | null };
type Draft = { facts: { -readonly [K in keyof NcclRank]: NcclRank[K] }; groups: Links[]; channels: number | null };

export type NcclReader = { readonly push: (host: string, rank: number, fact: NcclFact) => void; readonly summary: () => NcclSummary };

export function readNccl(): NcclReader {
  const drafts = new Map<number, Draft>();
  return {
    push: (host, rank, fact) => {
      const draft = drafts.get(rank) ?? begin(host, rank);
      drafts.set(rank, draft);
      take(draft, fact);
    },
    summary: () => summarise([...drafts.values()].sort((a, b) => a.facts.rank - b.facts.rank)),
  };
}

const begin = (host: string, rank: number): Draft => ({
  facts: {
    rank,
    host,
    version: null,
    network: null,
    devices: { IB: null, Socket: null },
    gpu: null,
    begun: 0,
    ready: 0,
    set: {},
    p2pDisabled: [],
    hasGdr: null,
    warnings: [],
  },
  groups: [],
  channels: null,
});

function take(draft: Draft, fact: NcclFact): void {
  const { facts } = draft;
  const group = draft.groups.at(-1) ?? open(draft, 0);
  switch (fact.is) {
    case "version":
      facts.version = fact.version;
      break;
    case "set":
      facts.set = { ...facts.set, [fact.name]: fact.value };
      break;
    case "devices":
      facts.devices = { ...facts.devices, [fact.network]: fact.devices };
      break;
    case "network":
      facts.network = fact.network;
      break;
    case "begins":
      facts.begun += 1;
      facts.gpu = fact.gpu ?? facts.gpu;
      open(draft, fact.ranks);
      break;
    case "ready":
      facts.ready += 1;
      if (group.ranks === 0) draft.groups[draft.groups.length - 1] = { ...group, ranks: fact.ranks }; // older releases tell only the end
      break;
    case "link": {
      const key = `${fact.from} ${fact.to} ${fact.via}`;
      const known = group.links.get(key);
      group.links.set(key, { from: fact.from, to: fact.to, via: fact.via, count: (known?.count ?? 0) + 1 });
      if (fact.via.includes("GDRDMA")) facts.hasGdr = true;
      break;
    }
    case "ring":
      if (fact.channel === 0) group.ring = fact.ranks;
      draft.channels = Math.max(draft.channels ?? 0, fact.channels);
      break;
    case "channels":
      draft.channels = Math.max(draft.channels ?? 0, fact.count);
      break;
    case "p2p-disabled":
      if (!facts.p2pDisabled.some(([a, b]) => a === fact.gpus[0] && b === fact.gpus[1])) facts.p2pDisabled = [...facts.p2pDisabled, fact.gpus];
      break;
    case "no-gdr":
      facts.hasGdr ??= false;
      break;
    case "warning":
      if (facts.warnings.length < WARNINGS && !facts.warnings.includes(fact.text)) facts.warnings = [...facts.warnings, fact.text];
      break;
    case "hosts":
      break;
  }
}

function open(draft: Draft, ranks: number): Links {
  const group: Links = { ranks, links: new Map(), ring: null };
  draft.groups.push(group);
  return group;
}

function summarise(drafts: readonly Draft[]): NcclSummary {
  const largest = Math.max(0, ...drafts.flatMap(({ groups }) => groups.map(({ ranks }) => ranks)));
  const groups = drafts.flatMap((draft) => draft.groups.filter(({ ranks }) => ranks === largest));
  const pairs = new Map<string, NcclPair>();
  for (const { links } of groups) {
    for (const { from, to, via, count } of links.values()) {
      // Both ends of a network link write it down, and devices of one network are one way.
      const route = via.replace(/^(NET\/[^/]+)\/\d+/, "$1");
      const key = `${from} ${to} ${route}`;
      const known = pairs.get(key);
      pairs.set(key, { from, to, via: route, way: wayOf(via), channels: Math.max(known?.channels ?? 0, count) });
    }
  }
  const channels = Math.max(0, ...drafts.map((draft) => draft.channels ?? 0));
  return {
    ranks: drafts.map(({ facts }) => facts),
    world: largest === 0 ? null : largest,
    channels: channels === 0 ? null : channels,
    ring: groups.find(({ ring }) => ring !== null)?.ring ?? null,
    pairs: [...pairs.values()].sort((a, b) => a.from - b.from || a.to - b.to),
  };
}

export function wayOf(via: string): Way {
  if (/^P2P\b/.test(via)) return "p2p";
  if (/^SHM\b/.test(via)) return "shm";
  if (/^NET\/Socket\b/i.test(via)) return "socket";
  return /^NET\/IB/i.test(via) || /GDRDMA|Libfabric|OFI|EFA/i.test(via) ? "rdma" : "other";
}
