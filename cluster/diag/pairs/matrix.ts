/** Every way between hosts on one screen: rows from, columns to. Symbols say what is wrong, numbers how good the rest is. */

import { sanitiseWord } from "../../sanitise.ts";
import { fitTo, padTo, widthOf } from "../../view/table.ts";
import type { PairProbe } from "../check.ts";

const WIDTH = 80;
const NAME_MAX = 14;
/** From so many hosts on, those whose ways are all good share a line. */
const FOLD_FROM = 16;

const LEGEND: Readonly<Record<string, string>> = { x: "nothing answers", "!": "ports are shut", "~": "large packets are lost", "?": "not measured" };

/** null: it is good. */
export function symbolOf(pair: PairProbe): string | null {
  if (pair.ports.length === 0) return "?";
  if (pair.isAnswering !== true) return "x";
  if (pair.ports.some(({ outcome }) => outcome !== "open")) return "!";
  if (pair.bigWrites === "stalled") return "~";
  return pair.latencyMs === null ? "?" : null;
}

const figureOf = ({ bandwidth, latencyMs }: PairProbe): string =>
  bandwidth !== null ? (bandwidth / 1e9).toFixed(bandwidth < 1e10 ? 2 : 0) : (latencyMs?.p50 ?? 0).toFixed((latencyMs?.p50 ?? 0) < 10 ? 2 : 0);

/** Empty where there are no two hosts. */
export function matrixLines(pairs: readonly PairProbe[], width = WIDTH): readonly string[] {
  const ways = pairs.filter(({ from, to }) => from !== to);
  const hosts = [...new Set(ways.flatMap(({ from, to }) => [from, to]))];
  if (hosts.length < 2) return [];
  const wayOf = new Map(ways.map((pair) => [`${pair.from}\n${pair.to}`, pair]));
  const isOdd = (host: string): boolean => ways.some((pair) => (pair.from === host || pair.to === host) && symbolOf(pair) !== null);
  const shown = hosts.length < FOLD_FROM ? hosts : mostOdd(hosts.filter(isOdd), ways);
  const symbols = new Set(ways.flatMap((pair) => symbolOf(pair) ?? []));
  const unit = ways.some(({ bandwidth }) => bandwidth !== null) ? "Gbit/s" : "ms there and back";
  return [
    `from (row) to (column), ${unit}${[...symbols].map((symbol) => `; ${symbol} ${LEGEND[symbol]}`).join("")}`,
    ...grid(shown, wayOf, width),
    ...folded(hosts.length - shown.length, ways, shown),
  ].map((line) => fitTo(line, width));
}

/** Of many bad hosts those first that have most bad ways: the cause is seldom among the others. */
function mostOdd(odd: readonly string[], ways: readonly PairProbe[]): readonly string[] {
  const badOf = (host: string): number => ways.filter((pair) => (pair.from === host || pair.to === host) && symbolOf(pair) !== null).length;
  if (odd.length < FOLD_FROM) return odd;
  const worst = new Set([...odd].sort((a, b) => badOf(b) - badOf(a)).slice(0, FOLD_FROM - 1));
  return odd.filter((host) => worst.has(host));
}

function grid(shown: readonly string[], wayOf: ReadonlyMap<string, PairProbe>, width: number): readonly string[] {
  if (shown.length === 0) return [];
  const names = shown.map((host) => fitTo(sanitiseWord(host), NAME_MAX));
  const numbers = shown.map((_, k) => String(k + 1));
  const labels = names.map((name, k) => `${padTo(numbers[k] ?? "", 2)} ${name}`);
  const label = Math.max(...labels.map(widthOf));
  const hasRoom = label + shown.length * 6 <= width;
  const cellOf = (from: string, to: string): string => {
    const pair = wayOf.get(`${from}\n${to}`);
    if (from === to) return "-";
    return pair === undefined ? "?" : (symbolOf(pair) ?? (hasRoom ? figureOf(pair) : "."));
  };
  const cell = hasRoom ? 6 : 3;
  const row = (head: string, cells: readonly string[]): string => `${padTo(head, label)}${cells.map((text) => text.padStart(cell)).join("")}`;
  return [
    row("", numbers),
    ...shown.map((from, k) =>
      row(
        labels[k] ?? "",
        shown.map((to) => cellOf(from, to)),
      ),
    ),
  ];
}

function folded(count: number, ways: readonly PairProbe[], shown: readonly string[]): readonly string[] {
  if (count === 0) return [];
  const rest = ways.filter(({ from, to }) => !shown.includes(from) && !shown.includes(to));
  const good = rest.filter((pair) => symbolOf(pair) === null).map((pair) => Number(figureOf(pair)));
  const bad = rest.length - good.length;
  const range = good.length === 0 ? "" : `, ${Math.min(...good)} to ${Math.max(...good)}`;
  return [`${count} other hosts: ${good.length} ways between them are good${range}${bad === 0 ? "" : `, ${bad} are not`}`];
}
