/** One watcher of a live run, for as long as somebody wants it. */

import type { Watcher } from "./runs.ts";

/** Registers at once; resolves when it is cancelled or the run is done. */
export function watchUntilDone(watchers: Set<Watcher>, cancelled: AbortSignal, watcher: Omit<Watcher, "done">): Promise<void> {
  return new Promise((resolve) => {
    const leave = (): void => {
      watchers.delete(full);
      cancelled.removeEventListener("abort", leave);
      resolve();
    };
    const full: Watcher = { ...watcher, done: leave };
    if (cancelled.aborted) return resolve();
    watchers.add(full);
    cancelled.addEventListener("abort", leave);
  });
}
