/** Which ways are slow beside the others. */

/** Of the median of all ways: below it a link or a host is worse than its kind (a proposal of ours; NVSentinel and others take 0.5 to 0.8). */
const SLOW_SHARE = 0.5;
/** Bit/s. What is faster than this is bound by the probe's own Python, not by the network. */
const BOUND_BY_US = 20e9;

export const medianOf = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
};

/** With fewer than three ways nobody can say which one is odd. */
export function slowOf<K>(ways: ReadonlyMap<K, number>): ReadonlySet<K> {
  const median = medianOf([...ways.values()]);
  if (ways.size < 3) return new Set();
  return new Set([...ways].filter(([, bitsPerS]) => bitsPerS < BOUND_BY_US && bitsPerS < SLOW_SHARE * median).map(([way]) => way));
}
