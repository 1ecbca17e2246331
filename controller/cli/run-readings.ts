/** What the controller has of a run's hosts, as viewers show it: each with its age, the ranks on it and what its interfaces carry. */

import { hostsOf, isOver, type RunState } from "../../cluster/run/state.ts";
import type { Point } from "../../cluster/telemetry/sample.ts";
import type { HostReading } from "../../cluster/view/host-telemetry.ts";
import type { SamplesAnswer } from "../../cluster/viewer.ts";
import type { Client } from "./client.ts";

/** Rates are of that much time. */
const RATES_MS = 10_000;

export type RunReadings = SamplesAnswer & { readonly readings: readonly HostReading[] };

export async function readSamples(client: Client, run: string): Promise<RunReadings> {
  const items = client.stream({ ask: "samples", run, since: Date.now() - RATES_MS });
  const points = new Map<string, Point[]>();
  for (;;) {
    const { done, value } = await items.next();
    if (done === true) {
      const answer = value as SamplesAnswer;
      return { ...answer, readings: hostsOf(answer.state).map(({ name: host }) => readingOf(answer, host, points.get(host) ?? [])) };
    }
    if (value.kind === "sample") points.set(value.host, [...(points.get(value.host) ?? []), value.point]);
  }
}

function readingOf({ state, now, hosts }: SamplesAnswer, host: string, points: readonly Point[]): HostReading {
  const found = hosts.find((one) => one.host === host);
  const ranks = new Map(Object.values(state.ranks).flatMap((rank) => (rank.host === host && rank.exit === null ? [[rank.pid, rank.rank] as const] : [])));
  // What was told before this controller was started is as old as the host says.
  const ageMs = found === undefined || isOver(state) ? null : Math.max(0, now - (found.heardAt ?? found.at));
  return { host, sample: found?.sample ?? null, ageMs, why: found === undefined ? whyNothing(state, host) : "", ranks, rates: ratesOf(points) };
}

function whyNothing(state: RunState, host: string): string {
  const at = state.hosts[host];
  if (isOver(state)) return "it told nothing";
  if (at?.lost != null) return "it is lost";
  return at?.seen === false ? "it is not reached" : "";
}

function ratesOf(points: readonly Point[]): Record<string, { rx: number; tx: number }> {
  const [first, last] = [points[0], points.at(-1)];
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
