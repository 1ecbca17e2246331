/** What `scripts/chaos` measured for the same faults, shown beside a drill's own: three hosts and a controller that shared two CPUs. See docs/reliability.md. */

import type { DrillFault } from "./faults.ts";

/** Medians. `againMs` has the start of torch in it. */
export const FIGURES: Readonly<Record<DrillFault, { readonly seenMs: number | null; readonly againMs: number }>> = {
  rank: { seenMs: 300, againMs: 12_800 },
  launcher: { seenMs: 300, againMs: 12_800 },
  shim: { seenMs: 500, againMs: 13_000 },
  agent: { seenMs: 300, againMs: 2300 },
  controller: { seenMs: 1100, againMs: 1450 },
};
