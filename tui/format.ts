/** Numbers and times as screens show them: short, and of a width that does not jump. */

/** 1:42:18; 2d 03:04. */
export function clockSpan(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (hours >= 48) return `${Math.floor(hours / 24)}d ${two(hours % 24)}:${two(minutes)}`;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** 9 s, 12 m, 3 h: for a column. */
export function shortSpan(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 100) return `${seconds}s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)}m`;
  return seconds < 360_000 ? `${Math.round(seconds / 3600)}h` : `${Math.round(seconds / 86_400)}d`;
}

const two = (n: number): string => String(n).padStart(2, "0");

/** Local time of day. */
export function timeOfDay(at: number): string {
  const t = new Date(at);
  return `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}`;
}

/** 18,420 */
export const grouped = (value: number): string =>
  Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ",");

/** 41.2k, 873, 0.214: three digits that count. */
export function brief(value: number): string {
  for (const [size, word] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]] as const) if (Math.abs(value) >= size * 0.9995) return `${digits(value / size)}${word}`; // biome-ignore format: a table
  return digits(value);
}

const digits = (value: number): string =>
  Number.isInteger(value) || Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : Number(value.toPrecision(3)).toString();

export const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? "" : "s"}`;

/** 0-7, 12: the ranks of a host in few characters. */
export function rankSpan(ranks: readonly number[]): string {
  const sorted = [...ranks].sort((a, b) => a - b);
  const spans: [number, number][] = [];
  for (const rank of sorted) {
    const last = spans.at(-1);
    if (last !== undefined && rank === last[1] + 1) last[1] = rank;
    else spans.push([rank, rank]);
  }
  return spans.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(",");
}
