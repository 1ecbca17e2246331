/** `exec --timeout`: how long a command may take on a host, how it is ended there, and how that is told from its own end. */

import { durationMs } from "../../cluster/config/units.ts";
import { fail } from "../../cluster/errors.ts";

/** Between the SIGTERM and the SIGKILL of a command that took too long; the agent's is the same. */
const GRACE_S = 3;
/** After that its end must have been told, or the host is not heard. */
const SILENT_MS = 10_000;

type Exit = { readonly code: number | null; readonly signal: string | null };

export type Limit = {
  /** Aborts when the time is over. */
  readonly expired: AbortSignal;
  readonly restart: () => void;
  /** Errors: EXEC_UNENDED when its end is not told in time. */
  readonly within: <T>(ending: Promise<T>) => Promise<T>;
  readonly judge: <E extends Exit>(end: E) => E & { readonly isTimedOut?: true };
  readonly stop: () => void;
};

/** null: no limit. Errors: USAGE. */
export function timeoutMs(given: unknown): number | null {
  if (given === undefined) return null;
  const text = String(given);
  const ms = durationMs(text) ?? (/^\d+$/.test(text) ? Number(text) * 1000 : null);
  if (ms === null || ms === 0) throw fail("USAGE", { what: `--timeout takes a length of time, not ${text}`, fix: "nexadist exec --timeout 30s -- COMMAND" });
  return ms;
}

/** Closing an SSH channel ends nothing there: the host's own `timeout` does, the command's group with it. A host without runs it unlimited. */
export function limitedScript(command: string, ms: number | null): string {
  if (ms === null) return `exec ${command}`;
  return `if command -v timeout >/dev/null; then exec timeout -k ${GRACE_S} ${ms / 1000} ${command}; fi\nexec ${command}`;
}

export function startLimit(ms: number | null): Limit {
  const over = new AbortController();
  let timers: NodeJS.Timeout[] = [];
  let startedMs = performance.now();
  let refuse = (_: Error): void => undefined;
  const silent = new Promise<never>((_, reject) => {
    refuse = reject;
  });
  silent.catch(() => undefined);
  const stop = (): void => {
    for (const timer of timers) clearTimeout(timer);
  };
  const restart = (): void => {
    stop();
    startedMs = performance.now();
    if (ms === null) return;
    const seconds = ms / 1000;
    timers = [setTimeout(() => over.abort(), ms), setTimeout(() => refuse(fail("EXEC_UNENDED", { seconds })), ms + GRACE_S * 1000 + SILENT_MS)];
  };
  restart();
  return {
    expired: over.signal,
    restart,
    within: (ending) => Promise.race([ending, silent]),
    // 124 and 137 are what `timeout` ends with; a command's own are told from them by the time that it took.
    judge: (end) => {
      const isEnded = end.signal !== null || end.code === 124 || end.code === 137;
      return isEnded && ms !== null && performance.now() - startedMs >= ms ? { ...end, isTimedOut: true } : end;
    },
    stop,
  };
}
