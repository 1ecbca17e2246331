/** Durations and sizes as people write them. */

const MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const BYTES: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

export const DURATION = /^(\d+(\.\d+)?(ms|s|m|h|d))+$/;
export const SIZE = /^(\d+(\.\d+)?) ?(B|[kKMGT]B|[KMGT]iB)$/;

/** Timers of 2^31 ms (24.8 days) and more fire at once. */
export const MAX_DURATION_MS = 24 * 86_400_000;

/** "1h30m" or a number of seconds; null: not a duration. */
export function durationMs(value: string | number): number | null {
  if (typeof value === "number") return Number.isFinite(value) && value >= 0 ? Math.round(value * 1000) : null;
  if (!DURATION.test(value)) return null;
  let ms = 0;
  for (const [, amount, unit] of value.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) ms += Number(amount) * (MS[unit ?? ""] ?? 0);
  return Math.round(ms);
}

/** "2GiB" or a number of bytes; null: not a size. */
export function sizeBytes(value: string | number): number | null {
  if (typeof value === "number") return Number.isSafeInteger(value) && value >= 0 ? value : null;
  const match = SIZE.exec(value);
  return match === null ? null : Math.round(Number(match[1]) * (BYTES[match[3] ?? ""] ?? 0));
}
