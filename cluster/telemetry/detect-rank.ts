/** What the ranks of a host say of themselves: who works longer in a step than the others, which then wait. */

import type { AboutHost } from "./about.ts";
import type { Reading } from "./condition.ts";

/** NVRx's bound: median / own. */
const SLOW_SCORE = 0.75;
const FINE_SCORE = 0.85;

export const detectRanks = ({ host, ranks, rankOf, busy }: AboutHost): readonly Reading[] =>
  ranks.flatMap((rank) => {
    const its = busy.get(rank);
    if (its === undefined) return [];
    const { ms, medianMs } = its;
    const score = medianMs / ms;
    const gpu = [...rankOf].find(([, one]) => one === rank)?.[0] ?? null;
    return [
      {
        ...{ code: "STRAGGLER", what: `rank ${rank}`, isBad: score < SLOW_SCORE ? true : score > FINE_SCORE ? false : null, host, rank, gpu },
        text: `rank ${rank} on ${host} works ${(ms / medianMs).toFixed(1)} times as long in a step as the others (${brief(ms)} ms, median ${brief(medianMs)} ms)`,
      },
    ];
  });

const brief = (ms: number): string => String(Number(ms.toPrecision(3)));
