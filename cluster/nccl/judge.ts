/** Where NCCL goes a slower way than the hardware has. What is not known of the hardware accuses nobody. */

import { rangesOf } from "../hang/verdict.ts";
import type { Topology } from "../nvidia/topology.ts";
import type { NcclPair, NcclRank, NcclSummary } from "./summary.ts";

/** What a host has. null: not asked, or it could not tell. */
export type Hardware = { readonly topology: Topology | null; readonly rdma: readonly string[] | null };
export type NcclFinding = { readonly code: string; readonly host: string | null; readonly text: string };

export function judgeNccl(summary: NcclSummary, hardware: ReadonlyMap<string, Hardware>): readonly NcclFinding[] {
  const byRank = new Map(summary.ranks.map((rank) => [rank.rank, rank]));
  // Ranks in the log are those of the communicator: ours only where it is that of all ranks.
  const isWorld = summary.world === summary.ranks.length;
  const pairs = isWorld ? summary.pairs : [];
  return [...versions(summary), ...slowInside(pairs, byRank, hardware), ...slowBetween(pairs, byRank, hardware, summary.ranks), ...notReady(summary)];
}

function versions({ ranks }: NcclSummary): NcclFinding[] {
  const of = new Map<string, string[]>();
  for (const { version, host } of ranks) if (version !== null) of.set(version, [...(of.get(version) ?? []), host]);
  if (of.size < 2) return [];
  const words = [...of].map(([version, hosts]) => `${version} on ${[...new Set(hosts)].join(", ")}`).join("; ");
  return [{ code: "NCCL_VERSIONS", host: null, text: `ranks use different versions of NCCL: ${words}` }];
}

/** Pairs on one host that go through memory or the network, where their GPUs have a way of their own. */
function slowInside(pairs: readonly NcclPair[], byRank: ReadonlyMap<number, NcclRank>, hardware: ReadonlyMap<string, Hardware>): NcclFinding[] {
  const found = new Map<string, { nvlink: string[]; other: string[]; why: string }>();
  for (const { from, to, way, via } of pairs) {
    const [a, b] = [byRank.get(from), byRank.get(to)];
    if (a === undefined || b === undefined || a.host !== b.host || from > to || way === "p2p") continue;
    const link = linkOf(hardware.get(a.host)?.topology ?? null, a.gpu, b.gpu);
    const saysDisabled = [...a.p2pDisabled, ...b.p2pDisabled].some(([x, y]) => (x === a.gpu && y === b.gpu) || (x === b.gpu && y === a.gpu));
    const at = found.get(a.host) ?? { nvlink: [], other: [], why: "" };
    found.set(a.host, at);
    at.why ||= whyOf(a);
    if (link?.startsWith("NV") === true) at.nvlink.push(`${from}-${to} (${link}, but ${via})`);
    else if (saysDisabled) at.other.push(`${from}-${to} (${via})`);
  }
  return [...found].flatMap(([host, { nvlink, other, why }]) => [
    ...(nvlink.length === 0
      ? []
      : [{ code: "NCCL_NVLINK_UNUSED", host, text: `${host}: ranks ${few(nvlink)} do not use the NVLink between their GPUs${why}` }]),
    ...(other.length === 0
      ? []
      : [{ code: "NCCL_P2P_OFF", host, text: `${host}: ranks ${few(other)} do not go from GPU to GPU, though NCCL finds them connected${why}` }]),
  ]);
}

function slowBetween(
  pairs: readonly NcclPair[],
  byRank: ReadonlyMap<number, NcclRank>,
  hardware: ReadonlyMap<string, Hardware>,
  ranks: readonly NcclRank[],
): NcclFinding[] {
  const overSocket = new Set(pairs.filter(({ way }) => way === "socket").flatMap(({ from, to }) => [byRank.get(from)?.host, byRank.get(to)?.host]));
  const found: NcclFinding[] = [];
  for (const host of new Set(ranks.map((rank) => rank.host))) {
    const own = ranks.filter((rank) => rank.host === host);
    const seen = own.flatMap(({ devices }) => devices.IB ?? []);
    const cards = [...new Set(seen.length > 0 ? seen : (hardware.get(host)?.rdma ?? []))];
    if (overSocket.has(host) && cards.length > 0) {
      const disabled = own.find(({ set }) => set.NCCL_IB_DISABLE === "1" || /^socket$/i.test(set.NCCL_NET ?? ""));
      const why = disabled === undefined ? "" : `: ${disabled.set.NCCL_IB_DISABLE === "1" ? "NCCL_IB_DISABLE=1" : "NCCL_NET=Socket"} is set`;
      found.push({ code: "NCCL_RDMA_UNUSED", host, text: `${host}: NCCL goes over TCP, though there is RDMA (${few(cards)})${why}` });
    }
    const without = own.filter(({ hasGdr }) => hasGdr === false).map(({ rank }) => rank);
    if (without.length > 0)
      found.push({ code: "NCCL_NO_GDR", host, text: `${host}: RDMA of ranks ${rangesOf(without)} goes through the host's memory, not straight to the GPU` });
  }
  return found;
}

/** Some were, some were not: who is missing is what the others wait for. */
function notReady({ ranks }: NcclSummary): NcclFinding[] {
  const waiting = ranks.filter(({ begun, ready }) => begun > ready);
  if (waiting.length === 0 || ranks.every(({ ready }) => ready > 0)) return [];
  return [{ code: "NCCL_INIT_OPEN", host: null, text: `ranks ${rangesOf(waiting.map(({ rank }) => rank))} began to connect and are not ready` }];
}

function whyOf({ set }: NcclRank): string {
  if (set.NCCL_P2P_DISABLE === "1") return ": NCCL_P2P_DISABLE=1 is set";
  return set.NCCL_P2P_LEVEL === undefined ? "" : `: NCCL_P2P_LEVEL=${set.NCCL_P2P_LEVEL} is set`;
}

function linkOf(topology: Topology | null, a: number | null, b: number | null): string | null {
  if (topology === null || a === null || b === null) return null;
  return topology.links[topology.gpus.indexOf(`GPU${a}`)]?.[topology.gpus.indexOf(`GPU${b}`)] ?? null;
}

const few = (words: readonly string[]): string => (words.length <= 4 ? words.join(", ") : `${words.slice(0, 4).join(", ")} and ${words.length - 4} more`);
