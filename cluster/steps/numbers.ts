/** Numbers as trainers print them: 193,831 and 1.8E+00 and 7.15M. */

const FACTOR: Readonly<Record<string, number>> = { k: 1e3, K: 1e3, M: 1e6, G: 1e9, B: 1e9 };

/** null: it is none. */
export function readNumber(text: string | undefined): number | null {
  if (text === undefined || text === "") return null;
  if (/^[+-]?nan$/i.test(text)) return Number.NaN;
  const unit = FACTOR[text.slice(-1)];
  const value = Number((unit === undefined ? text : text.slice(0, -1)).replaceAll(",", ""));
  return Number.isFinite(value) ? value * (unit ?? 1) : null;
}

/** A count; null: it is none. */
export function readCount(text: string | undefined): number | null {
  const value = readNumber(text);
  return value === null || !(value >= 0 && value <= Number.MAX_SAFE_INTEGER) ? null : Math.round(value);
}
