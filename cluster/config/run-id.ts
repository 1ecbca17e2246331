/** A run's name for people and for paths: train_20251101_143200. */

/** In local time of whoever started it; two in one second are told apart by the caller. */
export function runId(stage: string, now: Date): string {
  const two = (n: number): string => String(n).padStart(2, "0");
  const date = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  return `${stage}_${date}_${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
}
