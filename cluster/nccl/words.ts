/** The summary of NCCL for people. */

import { rangesOf } from "../hang/verdict.ts";
import { sanitiseWord } from "../sanitise.ts";
import { formatTable } from "../view/table.ts";
import type { NcclFinding } from "./judge.ts";
import type { NcclPair, NcclSummary } from "./summary.ts";

export function ncclLines(summary: NcclSummary, findings: readonly NcclFinding[], hosts: ReadonlyMap<number, string>): readonly string[] {
  const { ranks, world, channels, ring, pairs } = summary;
  const versions = [...new Set(ranks.map(({ version }) => version).filter((version) => version !== null))];
  const networks = [...new Set(ranks.map(({ network }) => network).filter((network) => network !== null))];
  const head = [
    `NCCL ${versions.join(" and ") || "of unknown version"}`,
    `${ranks.length} rank${ranks.length === 1 ? "" : "s"}`,
    networks.length === 0 ? "" : `network ${networks.join(" and ")}`,
    channels === null ? "" : `${channels} channels`,
  ].filter((part) => part !== "");
  const rows = ranks.map(({ rank, host, gpu, devices, begun, ready, warnings }) => [
    `r${rank}`,
    host,
    gpu === null ? "" : String(gpu),
    [...(devices.IB ?? []), ...(devices.Socket ?? [])].join(" "),
    `${ready} of ${Math.max(begun, ready)}`,
    warnings.length === 0 ? "" : String(warnings.length),
  ]);
  return [
    head.join(", "),
    ...findings.flatMap(({ code, text }) => [`! ${text}`, `    more: nexadist explain ${code}`]),
    "",
    ...formatTable([["RANK", "HOST", "GPU", "DEVICES", "READY", "WARNINGS"], ...rows]),
    ...(ring === null ? [] : ["", `ring: ${ring.length > 64 ? `${ring.slice(0, 64).join(" ")} …` : ring.join(" ")}`]),
    ...(pairs.length === 0
      ? ["", "it told no connections between ranks (NCCL_DEBUG=INFO tells them)"]
      : ["", ...formatTable([["WAY", "RANKS", "HOSTS"], ...ways(pairs, hosts)])]),
    ...(world !== null && world !== ranks.length ? ["", `connections are those of a group of ${world} ranks, numbered as in the group`] : []),
    ...ranks.flatMap(({ rank, warnings }) => warnings.map((text) => `r${rank} warned: ${text}`)).slice(0, 20),
  ].map(sanitiseWord);
}

/** Pairs that go the same way between the same hosts, in one row. */
function ways(pairs: readonly NcclPair[], hosts: ReadonlyMap<number, string>): string[][] {
  const rows = new Map<string, { via: string; pairs: string[]; hosts: string }>();
  for (const { from, to, via } of pairs) {
    const [a = "?", b = "?"] = [hosts.get(from), hosts.get(to)];
    const where = a === b ? a : `${a} -> ${b}`;
    const row = rows.get(`${via}\n${where}`) ?? { via, pairs: [], hosts: where };
    rows.set(`${via}\n${where}`, row);
    row.pairs.push(`${from}-${to}`);
  }
  return [...rows.values()].map((row) => [
    row.via,
    row.pairs.length <= 8 ? row.pairs.join(" ") : `${row.pairs.slice(0, 8).join(" ")} and ${row.pairs.length - 8} more`,
    row.hosts,
  ]);
}

export const ncclJson = (summary: NcclSummary, findings: readonly NcclFinding[]): object => ({
  ...summary,
  waiting: rangesOf(summary.ranks.filter(({ begun, ready }) => begun > ready).map(({ rank }) => rank)),
  findings,
});
