/** What NCCL told, in sections: judgements, ways between ranks and hosts, warnings by the pair that they are about, ranks. */

import { findingOf } from "../../cluster/findings/catalogue.ts";
import { matchLine } from "../../cluster/findings/match.ts";
import { rangesOf } from "../../cluster/hang/verdict.ts";
import type { NcclFinding } from "../../cluster/nccl/judge.ts";
import type { NcclPair, NcclRank, NcclSummary, Way } from "../../cluster/nccl/summary.ts";
import type { RunState } from "../../cluster/run/state.ts";
import { fitTo } from "../../cluster/view/table.ts";
import { type Line, line, type Span, span } from "../line.ts";
import { type Column, drawTable } from "./parts/table.ts";
import { labelled, sentence } from "./parts/words.ts";

type Area = { readonly columns: number; readonly isAscii: boolean };

const table = <R>(columns: readonly Column<R>[], rows: readonly R[], { columns: width, isAscii }: Area): readonly Line[] =>
  drawTable({ columns, rows, chosen: -1, top: 0, height: rows.length, width, isAscii });

export const judgements = (findings: readonly NcclFinding[], { columns }: Area): readonly Line[] =>
  findings.flatMap(({ code, text }) => [
    ...sentence(`! ${text}`, columns, "warn"),
    ...sentence(`${findingOf(code)?.title ?? ""} (nexadist explain ${code})`, columns, "dim", 3),
  ]);

const BEST: readonly Way[] = ["p2p", "rdma", "shm", "other", "socket"];
const WAY_WORD: Readonly<Record<Way, string>> = { p2p: "P2P", shm: "SHM", socket: "TCP", rdma: "RDMA", other: "?" };

/** Pairs that go the same way between the same hosts, in one row. */
export function ways({ pairs }: NcclSummary, hosts: ReadonlyMap<number, string>, area: Area): readonly Line[] {
  if (pairs.length === 0)
    return sentence("It told no connections between ranks: NCCL_DEBUG=INFO tells them; l sets it for the next attempt.", area.columns, "dim");
  const rows = new Map<string, { readonly via: string; readonly way: Way; readonly where: string; readonly pairs: NcclPair[] }>();
  for (const pair of pairs) {
    const [a = "?", b = "?"] = [hosts.get(pair.from), hosts.get(pair.to)];
    const where = a === b ? a : `${a} to ${b}`;
    const key = `${pair.via}\n${where}`;
    const row = rows.get(key) ?? { via: pair.via, way: pair.way, where, pairs: [] };
    rows.set(key, row);
    row.pairs.push(pair);
  }
  return table(
    [
      { title: "WAY", of: ({ via, way }) => span(via, way === "socket" || way === "shm" ? "warn" : "good"), drop: 0, most: 28 },
      { title: "PAIRS", of: ({ pairs: own }) => String(own.length), isRight: true, drop: 0 },
      { title: "CHANNELS", of: ({ pairs: own }) => String(Math.max(...own.map(({ channels }) => channels))), isRight: true, drop: 2 },
      { title: "HOSTS", of: ({ where }) => where, drop: 0, most: 40 },
      { title: "RANKS", of: ({ pairs: own }) => span(own.map(({ from, to }) => `${from}-${to}`).join(" "), "dim"), drop: 1, fills: 10 },
    ],
    [...rows.values()],
    area,
  );
}

/** Hosts drawn in the matrix at most: a grid beyond it is read by nobody. */
const MATRIX = 24;

/** The slowest way from a host (row) to another (column). */
export function hostMatrix({ pairs }: NcclSummary, hosts: ReadonlyMap<number, string>, { columns, isAscii }: Area): readonly Line[] {
  const names = [...new Set(hosts.values())];
  if (names.length < 2 || pairs.length === 0) return [];
  const worst = new Map<string, Way>();
  for (const { from, to, way } of pairs) {
    const key = `${hosts.get(from)}\n${hosts.get(to)}`;
    const known = worst.get(key);
    if (known === undefined || BEST.indexOf(way) > BEST.indexOf(known)) worst.set(key, way);
  }
  const room = Math.max(2, Math.min(MATRIX, Math.floor((columns - 24) / 6)));
  const shown = names.slice(0, room);
  const cell = (from: string, to: string): Span => {
    const way = worst.get(`${from}\n${to}`);
    return way === undefined ? span(".", "dim") : span(WAY_WORD[way], way === "socket" || (way === "shm" && from === to) ? "warn" : "good");
  };
  return [
    line(" the slowest way that NCCL took from a host (row) to another (column)", "dim"),
    ...table<string>(
      [
        { title: "", of: (name) => `${names.indexOf(name) + 1} ${fitTo(name, 18)}`, drop: 0, most: 22 },
        ...shown.map((to, k): Column<string> => ({ title: String(k + 1), of: (from) => cell(from, to), isRight: true, drop: 0 })),
      ],
      shown,
      { columns, isAscii },
    ),
    ...(names.length > shown.length ? [line(` and ${names.length - shown.length} more hosts`, "dim")] : []),
  ];
}

type Warned = { readonly from: string; readonly to: string; readonly text: string; readonly ranks: number[] };
const ADDRESS = /\b(\d{1,3}(?:\.\d{1,3}){3})\b/g;

/** Warnings that say the same between the same two hosts, in one row, with the ranks that gave them. */
export function warnings({ ranks }: NcclSummary, state: RunState, area: Area): readonly Line[] {
  const hostOf = new Map<string, string>();
  for (const { name, address } of state.spec.hosts) {
    for (const known of [address, state.hosts[name]?.dialled ?? "", ...(state.hosts[name]?.facts?.interfaces ?? []).flatMap(({ addresses }) => addresses)])
      if (known !== "") hostOf.set(known.replace(/\/.*/, ""), name);
  }
  const rows = new Map<string, Warned>();
  for (const { rank, host, warnings: own } of ranks) {
    for (const text of own) {
      const peer = [...text.matchAll(ADDRESS)].map(([, address = ""]) => hostOf.get(address)).find((name) => name !== undefined && name !== host);
      const shape = text.replace(/0x[0-9a-f]+|\d+/gi, "#");
      const key = `${host}\n${peer ?? ""}\n${shape}`;
      const row = rows.get(key) ?? { from: host, to: peer ?? "-", text, ranks: [] };
      rows.set(key, row);
      row.ranks.push(rank);
    }
  }
  if (rows.size === 0) return [];
  const sorted = [...rows.values()].sort((a, b) => b.ranks.length - a.ranks.length);
  return [
    ...table<Warned>(
      [
        { title: "FROM", of: ({ from }) => from, drop: 0, most: 16 },
        { title: "ABOUT", of: ({ to }) => to, drop: 0, most: 16 },
        { title: "RANKS", of: ({ ranks: own }) => rangesOf(own), drop: 1, most: 16 },
        { title: "WARNING", of: ({ text }) => span(text, "warn"), drop: 0, fills: 20 },
      ],
      sorted,
      area,
    ),
    ...[...new Set(sorted.flatMap(({ text }) => matchLine(`NCCL WARN ${text}`)?.finding.code ?? []))].map((code) =>
      line(`   more: nexadist explain ${code}`, "dim"),
    ),
  ];
}

export const rankTable = ({ ranks }: NcclSummary, area: Area): readonly Line[] =>
  table<NcclRank>(
    [
      { title: "RANK", of: ({ rank }) => `r${rank}`, drop: 0 },
      { title: "HOST", of: ({ host }) => host, drop: 0, most: 20 },
      { title: "GPU", of: ({ gpu }) => (gpu === null ? "-" : String(gpu)), isRight: true, drop: 3 },
      { title: "NETWORK", of: ({ network }) => network ?? "-", drop: 2, most: 20 },
      {
        title: "READY",
        of: ({ begun, ready }) => span(begun + ready === 0 ? "-" : `${ready} of ${Math.max(begun, ready)}`, begun > ready ? "warn" : "plain"),
        drop: 0,
      },
      { title: "WARNED", of: ({ warnings: own }) => (own.length === 0 ? "" : span(String(own.length), "warn")), isRight: true, drop: 1 },
      { title: "DEVICES", of: ({ devices }) => span([...(devices.IB ?? []), ...(devices.Socket ?? [])].join(" "), "dim"), drop: 4, fills: 12 },
    ],
    ranks,
    area,
  );

/** What diag said of the network before the first attempt. */
export function preflightOfNetwork({ preflight }: RunState, { columns }: Area): readonly Line[] {
  const own = (preflight?.findings ?? []).filter(({ id }) => /^(network|distributed|gpu\.(nvlink|p2p|topo))/.test(id));
  return own.flatMap(({ id, hosts, title, observed, status }) =>
    labelled("diag", `${hosts.length === 0 ? "all hosts" : hosts.join(", ")}: ${title}: ${observed} [${id}]`, columns, status === "fail" ? "bad" : "warn"),
  );
}
