/** How old a line of the kernel log is. */

/** s before `uptimeS` (dmesg's stamps) or `now` (the journal's); null: the line has no stamp. */
export function ageOf(line: string, uptimeS: number, now: number): number | null {
  const since = /^(?:<\d+>)?\[ *(\d+\.\d+)\]/.exec(line)?.[1];
  if (since !== undefined) return Math.max(0, uptimeS - Number(since));
  const iso = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,]\d+)?([+-]\d\d:?\d\d|Z)?/.exec(line);
  if (iso === null) return null;
  const zone = (iso[2] ?? "Z").replace(/^([+-]\d\d)(\d\d)$/, "$1:$2");
  const at = Date.parse(`${iso[1]}${zone}`);
  return Number.isNaN(at) ? null : Math.max(0, (now - at) / 1000);
}

/** The message without stamp, host and "kernel:". */
export const messageOf = (line: string): string => line.replace(/^(?:<\d+>)?\[ *\d+\.\d+\]\s*(?:\[T\d+\]\s*)?|^\S+ \S+ kernel:\s*/, "");

/** "5 min ago" */
export function ago(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s ago`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min ago` : `${Math.round(seconds / 3600)} h ago`;
}
