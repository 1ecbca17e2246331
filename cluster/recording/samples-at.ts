/** What the hosts of a recording had told by a time, as a controller would have answered then. */

import { chooseGpus } from "../launch/gpus.ts";
import { isOver, type RunState } from "../run/state.ts";
import { addSample, NO_TOTALS, sumTotals, type Totals } from "../telemetry/totals.ts";
import type { HostNow, SamplesAnswer } from "../viewer.ts";
import type { Recording, TimedPoint } from "./recording.ts";
import type { Timeline } from "./timeline.ts";

export type SamplesAt = {
  /** Those heard after `since` and by `at`. */
  readonly between: (since: number, at: number) => readonly TimedPoint[];
  readonly answer: (at: number) => SamplesAnswer;
};

type HostPoints = { readonly host: string; readonly points: TimedPoint[]; readonly totals: Totals[] };

/** A thinned point speaks for the time until the next one. */
const SPANS = 1.5;

export function makeSamplesAt({ points }: Recording, timeline: Timeline): SamplesAt {
  const byHost = new Map<string, HostPoints>();
  for (const point of points) {
    const of = byHost.get(point.host) ?? { host: point.host, points: [], totals: [] };
    byHost.set(point.host, of);
    const { sample, at } = point.point;
    of.totals.push(addSample(of.totals.at(-1) ?? NO_TOTALS, of.points.length, at, sample, gpusOf(timeline.stateAt(point.heardAt), point.host)));
    of.points.push(point);
  }
  const countBy = ({ points: own }: HostPoints, at: number): number => own.findLastIndex(({ heardAt }) => heardAt <= at) + 1;

  const nowOf = (of: HostPoints, at: number): readonly HostNow[] => {
    const count = countBy(of, at);
    const [last, next] = [of.points[count - 1], of.points[count]];
    if (last === undefined) return [];
    const isCovered = next !== undefined && next.heardAt - last.heardAt <= SPANS * Math.max(last.point.spanMs, next.point.spanMs);
    return [{ host: of.host, at: last.point.at, heardAt: isCovered ? at : last.heardAt, sample: last.point.sample }];
  };
  return {
    between: (since, at) => points.slice(timeline.pointsBy(since), timeline.pointsBy(at)),
    answer: (at) => {
      const hosts = [...byHost.values()];
      return {
        state: timeline.stateAt(at),
        now: at,
        hosts: hosts.flatMap((of) => nowOf(of, at)),
        totals: sumTotals(hosts.flatMap((of) => of.totals[countBy(of, at) - 1] ?? [])),
      };
    },
  };
}

/** As the controller counts them: from the launch until the host is drained. */
function gpusOf(state: RunState, host: string): ReadonlySet<string> {
  const spec = state.spec.hosts.find(({ name }) => name === host);
  const at = state.hosts[host];
  if (spec === undefined || at === undefined || isOver(state) || !state.members.includes(host) || !["launched", "ended"].includes(at.stage)) return new Set();
  const choice = chooseGpus(spec.gpus, at.facts, host, at.claim);
  return new Set(choice.ok ? choice.gpus.map(({ uuid }) => uuid) : []);
}
