/** What `scripts/chaos` measured for the same faults, shown beside a drill's own: three hosts and a controller that shared two busy CPUs. See docs/reliability.md. */

import type { DrillFault } from "./faults.ts";

/** Medians. `againMs` has the start of torch in it. */
export const FIGURES: Readonly<Record<DrillFault, { readonly seenMs: number | null; readonly againMs: number }>> = {
  rank: { seenMs: 200, againMs: 15_300 },
  launcher: { seenMs: 300, againMs: 15_400 },
  shim: { seenMs: 700, againMs: 12_200 },
  agent: { seenMs: 200, againMs: 2500 },
  controller: { seenMs: 400, againMs: 700 },
};
