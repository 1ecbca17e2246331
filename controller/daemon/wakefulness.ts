/** Notices that this process stood still: a laptop that slept, a SIGSTOP. No deadline may count such time. */

/** How often the loop says that it lives, and from which hole on it was not. */
const TICK_MS = 1000;
const HOLE_MS = 10_000;

export type Wakefulness = {
  /** False between a hole and its being told: a timer that comes due then has to wait. */
  readonly isAwake: () => boolean;
  readonly close: () => void;
};

export function watchWakefulness(onWake: (sleptMs: number) => void): Wakefulness {
  let last = Date.now();
  const timer = setInterval(() => {
    const sleptMs = Date.now() - last - TICK_MS;
    last = Date.now();
    if (sleptMs > HOLE_MS) onWake(sleptMs);
  }, TICK_MS);
  return { isAwake: () => Date.now() - last <= HOLE_MS, close: () => clearInterval(timer) };
}
