/** How far a host's clock is from ours, from four times of one question: sent and received here, came and answered there. */

/** ms; `left` and what is `tookMs` later are ours. */
export type Clock = { readonly left: number; readonly tookMs: number; readonly came: number; readonly sent: number };

/** Of the question that took least: its way there and back is the surest. null: none was answered. */
export function nearest(clocks: readonly Clock[]): { readonly offsetMs: number; readonly errorMs: number } | null {
  let best: { readonly offsetMs: number; readonly errorMs: number } | null = null;
  for (const { left, tookMs, came, sent } of clocks) {
    const offsetMs = (came - left + (sent - (left + tookMs))) / 2;
    // A way can be all of the time, the other none; our clock ticks in whole milliseconds.
    const errorMs = Math.max(0, tookMs - (sent - came)) / 2 + 1;
    if (best === null || errorMs < best.errorMs) best = { offsetMs, errorMs };
  }
  return best;
}
