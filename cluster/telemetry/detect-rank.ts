/** What the ranks of a host show by their own lines: who is slower than the others. */

import type { AboutHost } from "./about.ts";
import type { Reading } from "./condition.ts";

/** NVRx's bound: median / own. */
const SLOW_SCORE = 0.75;
const FINE_SCORE = 0.85;

/** By what a rank says it works in a step itself, else by its steps, which differ only where ranks do not wait for each other. */
export const detectRanks = ({ host, ranks, rankOf, busy, steps }: AboutHost): readonly Reading[] =>
  ranks.flatMap((rank) => {
    const its = busy.get(rank) ?? steps.get(rank);
    if (its === undefined) return [];
    const { ms, medianMs } = its;
    const score = medianMs / ms;
    const gpu = [...rankOf].find(([, one]) => one === rank)?.[0] ?? null;
    const times = `${(ms / medianMs).toFixed(1)} times as long`;
    const does = busy.has(rank) ? `works ${times} in a step as the others` : `needs ${times} for a step as the others, which do not wait for it`;
    return [
      {
        ...{ code: "STRAGGLER", what: `rank ${rank}`, isBad: score < SLOW_SCORE ? true : score > FINE_SCORE ? false : null, host, rank, gpu },
        text: `rank ${rank} on ${host} ${does} (${brief(ms)} ms, median ${brief(medianMs)} ms)`,
      },
    ];
  });

const brief = (ms: number): string => String(Number(ms.toPrecision(3)));
