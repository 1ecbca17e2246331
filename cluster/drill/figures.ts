/** What `scripts/chaos` measured for the same faults, shown beside a drill's own: three hosts and a controller that shared two busy CPUs. See docs/reliability.md. */

import type { DrillFault } from "./faults.ts";

/** Medians. `againMs` has the start of torch in it. */
export const FIGURES: Readonly<Record<DrillFault, { readonly seenMs: number | null; readonly againMs: number }>> = {
  rank: { seenMs: 400, againMs: 20_600 },
  launcher: { seenMs: 400, againMs: 18_200 },
  shim: { seenMs: 1100, againMs: 21_400 },
  agent: { seenMs: 200, againMs: 3400 },
  controller: { seenMs: 400, againMs: 700 },
};
