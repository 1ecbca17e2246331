/** Turns bad ways into judgements: one for the host, the link or the plan that explains them, and one that passes when none is bad. */

import type { Judgement, PairProbe, Status } from "../check.ts";
import { names } from "../compare.ts";
import { attribute, type Blame } from "./attribute.ts";

export type PairJudgement = Judgement & { readonly host: string | null; readonly peer?: string };

export const between = (pairs: readonly PairProbe[]): readonly PairProbe[] => pairs.filter(({ from, to }) => from !== to);

export type Wording = {
  readonly status: Exclude<Status, "pass" | "skip">;
  /** What is wrong with these ways; which hosts they join is said before it. */
  readonly observed: (bad: readonly PairProbe[]) => string;
  readonly expected?: string;
  readonly words?: (bad: readonly PairProbe[]) => Readonly<Record<string, string>>;
  /** Why a way may not have been measured, where the probe does not say. */
  readonly unmeasured?: string;
};

/** Ways of which `isBad` is null were not measured: they are told once, and never green. `good`: what to say of those that are. */
export function judgeWays(
  pairs: readonly PairProbe[],
  isBad: (pair: PairProbe) => boolean | null,
  wording: Wording,
  good: (measured: readonly PairProbe[]) => string,
): readonly PairJudgement[] {
  const ways = between(pairs).map((pair) => ({ pair, from: pair.from, to: pair.to, isBad: isBad(pair) }));
  const known = ways.filter((way) => way.isBad !== null).map((way) => ({ ...way, isBad: way.isBad === true }));
  const unknown = ways.filter((way) => way.isBad === null);
  const blames = attribute(known);
  const judged = blames.map((blame): PairJudgement => {
    const bad = known.filter((way) => way.isBad && isOf(blame, way)).map(({ pair }) => pair);
    const judgement = {
      status: wording.status,
      observed: `${whichWays(blame, bad)}: ${wording.observed(bad)}`,
      ...(wording.expected === undefined ? {} : { expected: wording.expected }),
      ...(wording.words === undefined ? {} : { words: wording.words(bad) }),
    };
    if (blame.kind === "plan") return { ...judgement, host: null };
    return blame.kind === "host" ? { ...judgement, host: blame.host } : { ...judgement, host: blame.b, peer: blame.a };
  });
  const measured = known.filter((way) => !way.isBad).map(({ pair }) => pair);
  const passed: PairJudgement[] = blames.length === 0 && measured.length > 0 ? [{ host: null, status: "pass", observed: good(measured) }] : [];
  return [
    ...judged,
    ...passed,
    ...(unknown.length === 0
      ? []
      : notMeasured(
          unknown.map(({ pair }) => pair),
          wording.unmeasured ?? "no connection to measure over",
        )),
  ];
}

function isOf(blame: Blame, { from, to }: { readonly from: string; readonly to: string }): boolean {
  if (blame.kind === "plan") return true;
  if (blame.kind === "host") return (blame.direction !== "out" && to === blame.host) || (blame.direction !== "in" && from === blame.host);
  return (from === blame.a && to === blame.b) || (blame.direction === "both" && from === blame.b && to === blame.a);
}

function whichWays(blame: Blame, bad: readonly PairProbe[]): string {
  if (blame.kind === "plan") return "between all hosts";
  if (blame.kind === "link") return blame.direction === "both" ? `between ${blame.a} and ${blame.b}, both ways` : `from ${blame.a} to ${blame.b}, not back`;
  const others = [...new Set(bad.flatMap(({ from, to }) => [from, to]))].filter((name) => name !== blame.host);
  const to = `${names(others)}${others.length > 1 ? " alike" : ""}`;
  if (blame.direction === "both") return `between ${blame.host} and ${to}`;
  return blame.direction === "in" ? `to ${blame.host} from ${to}` : `from ${blame.host} to ${to}`;
}

/** One line, by its reason: the host that could not be asked, or a way that another check has judged already. */
function notMeasured(pairs: readonly PairProbe[], otherwise: string): readonly PairJudgement[] {
  const [first] = pairs;
  const ways = names(pairs.map(({ from, to }) => `${from} to ${to}`));
  return [{ host: null, status: "skip", observed: `not measured (${ways}): ${first?.why ?? otherwise}` }];
}
