/** The time of a recording that plays: it goes at a speed, stands, and is moved to wherever somebody wants it. */

export type ReplayClock = {
  readonly position: () => number;
  readonly speed: () => number;
  /** 0: it stands. */
  readonly setSpeed: (speed: number) => void;
  /** Within the recording's bounds. */
  readonly seek: (at: number) => void;
  /** How often it was moved back: what was told since then must be told anew. */
  readonly rewinds: () => number;
  /** Resolves when it is at `at`, when it was moved back, or when it is not wanted any more. */
  readonly until: (at: number, unwanted: AbortSignal) => Promise<void>;
};

/** `now`: a clock of this machine that never goes back, in ms. A timer may wait no longer than this. */
const LONGEST_MS = 60_000;

export function createReplayClock(from: number, to: number, initial: number, now: () => number): ReplayClock {
  let base = { at: from, since: now(), speed: initial };
  let rewinds = 0;
  const moved = new Set<() => void>();
  const position = (): number => Math.min(to, base.at + (now() - base.since) * base.speed);
  const change = (next: Partial<typeof base>): void => {
    base = { at: position(), speed: base.speed, ...next, since: now() };
    for (const wake of [...moved]) wake();
  };

  const until = async (at: number, unwanted: AbortSignal): Promise<void> => {
    const before = rewinds;
    while (position() < at && rewinds === before && !unwanted.aborted) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          clearTimeout(timer);
          moved.delete(wake);
          unwanted.removeEventListener("abort", wake);
          resolve();
        };
        const ms = base.speed === 0 ? Number.POSITIVE_INFINITY : (at - position()) / base.speed;
        // At its end, or standing, only somebody's hand brings it on.
        const timer = at > to || ms === Number.POSITIVE_INFINITY ? undefined : setTimeout(wake, Math.min(Math.max(1, Math.ceil(ms)), LONGEST_MS));
        moved.add(wake);
        unwanted.addEventListener("abort", wake);
      });
    }
  };
  return {
    position,
    speed: () => base.speed,
    setSpeed: (speed) => change({ speed }),
    seek: (wanted) => {
      const at = Math.min(to, Math.max(from, wanted));
      if (at < position()) rewinds += 1;
      change({ at });
    },
    rewinds: () => rewinds,
    until,
  };
}
