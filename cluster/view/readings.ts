/** What the controller has of a run's hosts, as viewers show it: each with its age, the ranks on it and what its interfaces carry. */

import { hostsOf, isOver, type RunState } from "../run/state.ts";
import type { Point } from "../telemetry/sample.ts";
import type { SamplesAnswer } from "../viewer.ts";
import type { HostReading } from "./host-telemetry.ts";

/** Rates are of that much time. */
export const RATES_MS = 10_000;

/** `points`: of each host the last ones, oldest first. */
export function readingsOf(answer: SamplesAnswer, points: ReadonlyMap<string, readonly Point[]>): readonly HostReading[] {
  const found = new Map(answer.hosts.map((one) => [one.host, one]));
  const ranks = new Map<string, Map<number, number>>();
  for (const { host, pid, rank, exit } of Object.values(answer.state.ranks)) {
    const own = ranks.get(host) ?? new Map<number, number>();
    ranks.set(host, own);
    if (exit === null) own.set(pid, rank);
  }
  return hostsOf(answer.state).map(({ name: host }) => {
    const told = found.get(host);
    // What was told before this controller was started is as old as the host says.
    const ageMs = told === undefined || isOver(answer.state) ? null : Math.max(0, answer.now - (told.heardAt ?? told.at));
    const why = told === undefined ? whyNothing(answer.state, host) : "";
    return { host, sample: told?.sample ?? null, ageMs, why, ranks: ranks.get(host) ?? new Map(), rates: ratesOf(points.get(host) ?? []) };
  });
}

function whyNothing(state: RunState, host: string): string {
  const at = state.hosts[host];
  if (isOver(state)) return "it told nothing";
  if (at?.lost != null) return "it is lost";
  return at?.seen === false ? "it is not reached" : "";
}

function ratesOf(points: readonly Point[]): Record<string, { rx: number; tx: number }> {
  const last = points.at(-1);
  const first = points.find(({ at }) => last !== undefined && last.at - at <= RATES_MS);
  if (first === undefined || last === undefined || last.at <= first.at) return {};
  const seconds = (last.at - first.at) / 1000;
  return Object.fromEntries(
    Object.entries(last.sample.nets).flatMap(([name, net]) => {
      const before = first.sample.nets[name];
      const rate = (a: number | undefined, b: number | undefined): number | null => (a === undefined || b === undefined || b < a ? null : (b - a) / seconds);
      const [rx, tx] = [rate(before?.rxBytes, net.rxBytes), rate(before?.txBytes, net.txBytes)];
      return rx === null || tx === null ? [] : [[name, { rx, tx }]];
    }),
  );
}
