/** What came of all trials, a line a fault. Pure. */

import { formatTable } from "../../cluster/view/table.ts";
import type { Fault } from "./fault.ts";
import type { Result } from "./trial.ts";

const quantile = (values: readonly number[], share: number): number | undefined => [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) * share)];

const seconds = (ms: number | undefined): string => (ms === undefined ? "-" : (ms / 1000).toFixed(2));
const known = (values: readonly (number | null)[]): number[] => values.filter((value) => value !== null);
const pair = (values: readonly number[]): [string, string] => [seconds(quantile(values, 0.5)), seconds(quantile(values, 1))];

const HEAD = ["fault", "must", "n", "as expected", "seen p50 s", "max", "again p50 s", "max"];

function rowsOf(faults: readonly Fault[], results: readonly Result[]): string[][] {
  return faults.flatMap((fault) => {
    const own = results.filter((result) => result.fault === fault.name);
    if (own.length === 0) return [];
    const good = own.filter((result) => result.surprises.length === 0).length;
    const detect = pair(known(own.map((result) => result.detectMs)));
    const recover = pair(known(own.map((result) => result.recoverMs)));
    return [[fault.about, fault.expect === "restart" ? "train again" : "go on", `${own.length}`, `${good}`, ...detect, ...recover]];
  });
}

export const asText = (faults: readonly Fault[], results: readonly Result[]): string => formatTable([HEAD, ...rowsOf(faults, results)]).join("\n");

export function asMarkdown(faults: readonly Fault[], results: readonly Result[]): string {
  const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [row(HEAD), row(HEAD.map((_, k) => (k < 2 ? "---" : "---:"))), ...rowsOf(faults, results).map(row)].join("\n");
}
