/** A deadline of a run: longer than a timer takes if need be, and never due in time that this process slept through. */

/** What setTimeout takes. */
const MAX_DELAY_MS = 2 ** 31 - 1;
const ASLEEP_MS = 1000;

/** Calls `due` once, at `at` (ms since epoch) or when awake after it; returns how to give it up. */
export function whenDue(at: number, isAwake: () => boolean, due: () => void): () => void {
  let handle: NodeJS.Timeout;
  const wait = (): void => {
    handle = setTimeout(look, Math.min(Math.max(isAwake() ? 0 : ASLEEP_MS, at - Date.now()), MAX_DELAY_MS));
  };
  const look = (): void => (Date.now() < at || !isAwake() ? wait() : due());
  wait();
  return () => clearTimeout(handle);
}
