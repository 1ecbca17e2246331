/** Sessions of one connection: at most eight at a time, fewer where sshd's MaxSessions turns out lower; the rest wait their turn. */

import { setTimeout as delay } from "node:timers/promises";

/** sshd's default MaxSessions is 10; two are left to the user's own use of a shared connection. */
const SESSION_LIMIT = 8;
/** sshd frees a session a moment after it told us that it ended. */
const LINGER_RETRIES = 6;

/** An open that sshd refused because it has enough sessions. */
export class SessionRefused extends Error {}

export type SessionGate = {
  /** Runs `open` when there is room; it gets a function to call when its session ended. Throws SessionRefused when sshd refuses with none of ours open. */
  readonly enter: <T>(open: (leave: () => void) => Promise<T>) => Promise<T>;
};

export function makeSessionGate(): SessionGate {
  let limit = SESSION_LIMIT;
  let openCount = 0;
  let hasEnded = false;
  const waiting: (() => void)[] = [];

  const leave = (): void => {
    openCount--;
    waiting.shift()?.();
  };

  async function enter<T>(open: (leave: () => void) => Promise<T>): Promise<T> {
    for (let lingered = 0; ; ) {
      while (openCount >= limit) await new Promise<void>((resolve) => waiting.push(resolve));
      openCount++;
      let hasLeft = false;
      const leaveOnce = (): void => {
        if (hasLeft) return;
        hasLeft = true;
        hasEnded = true;
        leave();
      };
      try {
        return await open(leaveOnce);
      } catch (error) {
        if (!hasLeft) {
          hasLeft = true;
          openCount--;
        }
        const isCrowded = error instanceof SessionRefused && openCount > 0;
        if (isCrowded) {
          limit = Math.max(1, Math.min(limit, openCount));
          continue;
        }
        waiting.shift()?.();
        if (!(error instanceof SessionRefused) || !hasEnded || ++lingered > LINGER_RETRIES) throw error;
        await delay(20 * 2 ** lingered);
      }
    }
  }
  return { enter };
}
