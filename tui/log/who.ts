/** Whose line a row is, in the width that there is: `r0-3,8`, or how many. */

import { sanitiseWord } from "../../cluster/sanitise.ts";
import { fitTo, padTo, widthOf } from "../../cluster/view/table.ts";
import type { Row } from "./fold.ts";

export function rankNames(ranks: readonly number[]): string {
  const sorted = [...new Set(ranks)].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let k = 0; k < sorted.length; ) {
    const from = sorted[k] ?? 0;
    let to = from;
    for (k += 1; sorted[k] === to + 1; k += 1) to += 1;
    parts.push(from === to ? `${from}` : `${from}-${to}`);
  }
  return `r${parts.join(",")}`;
}

export function ranksOf({ line, also }: Row): string {
  const ranks = [line, ...also].flatMap(({ rank }) => (rank === null ? [] : [rank]));
  return ranks.length === 0 ? "launcher" : rankNames(ranks);
}

export function hostsOf({ line, also }: Row): readonly string[] {
  return also.length === 0 ? [line.host] : [...new Set([line.host, ...also.map(({ host }) => host)])];
}

export function rankCell(row: Row, columns: number): string {
  const text = ranksOf(row);
  const short = widthOf(text) <= columns ? text : `${row.also.length + 1} ranks`;
  return padTo(fitTo(short, columns), columns);
}

export function hostCell(row: Row, columns: number): string {
  const hosts = hostsOf(row);
  return padTo(fitTo(hosts.length === 1 ? sanitiseWord(hosts[0] ?? "") : `${hosts.length} hosts`, columns), columns);
}
