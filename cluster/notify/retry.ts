/** Whether and when somebody who could not be told is tried again. Pure. */

/** Answers that another try cannot change; 408 and 429 ask for one. */
export const isFinal = (status: number): boolean => status >= 300 && status < 500 && status !== 408 && status !== 429;

export type RetryLimits = { readonly firstMs: number; readonly mostMs: number; readonly giveUpMs: number };
export const RETRY: RetryLimits = { firstMs: 1000, mostMs: 300_000, giveUpMs: 24 * 3600_000 };

/** Before try number `tries` + 1; null: what happened so long ago is no news. */
export function pauseMs(tries: number, sinceMs: number, { firstMs, mostMs, giveUpMs }: RetryLimits): number | null {
  const pause = Math.min(mostMs, firstMs * 2 ** Math.min(20, Math.max(0, tries - 1)));
  return sinceMs + pause > giveUpMs ? null : pause;
}
