/** What `--since` means: so long ago, or the last time that the clock here showed that. */

import { durationMs } from "../../cluster/config/units.ts";

/** `10m`, `90` (seconds), `09:30`, `09:30:15` or a date and time; null: none of them. */
export function sinceWhen(text: string, now: number): number | null {
  const ageMs = durationMs(text) ?? (/^\d+$/.test(text) ? Number(text) * 1000 : null);
  if (ageMs !== null) return now - ageMs;
  const [, hour, minute, second = "0"] = /^(\d{1,2}):(\d{2})(?::(\d{2}))?$/.exec(text) ?? [];
  if (hour !== undefined) {
    if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return null;
    const at = new Date(now);
    at.setHours(Number(hour), Number(minute), Number(second), 0);
    if (at.getTime() > now) at.setDate(at.getDate() - 1);
    return at.getTime();
  }
  const at = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2})?)?/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? null : at;
}
