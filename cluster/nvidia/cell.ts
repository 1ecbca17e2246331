/** One cell of what nvidia-smi prints: a value, or why there is none. What is not understood is never a number, and a lack is never 0. */

/**
 * Why there is no value. unsupported: this GPU or driver has none. unknown: the driver failed to read it. lost, reset-required: the GPU is out of order.
 * denied: not for this user. not-asked: the query had no such field. garbled: it is there and nobody can read it. down: the row speaks of a GPU that is out of order.
 */
export type Lack = "unsupported" | "unknown" | "lost" | "reset-required" | "denied" | "deprecated" | "not-found" | "empty" | "garbled" | "not-asked" | "down";

export type Reading<T = number> = { readonly v: T } | { readonly na: Lack };

/** Lower case, without brackets. */
const LACKS: Readonly<Record<string, Lack>> = {
  "": "empty",
  "-": "unsupported",
  "n/a": "unsupported",
  "not supported": "unsupported",
  "not available": "unsupported",
  "function not found": "unsupported",
  "unknown error": "unknown",
  error: "unknown",
  unknown: "unknown",
  "err!": "unknown",
  "gpu is lost": "lost",
  "gpu access blocked by the operating system": "denied",
  "gpu requires reset": "reset-required",
  "reset required": "reset-required",
  "insufficient permissions": "denied",
  "no permission": "denied",
  "requested functionality has been deprecated": "deprecated",
  deprecated: "deprecated",
  "not found": "not-found",
};

/** null: the cell holds something. Whatever stands in brackets is no value, also where nobody knows the words. */
export function lackOf(cell: string): Lack | null {
  const text = cell.trim();
  const isBracketed = text.startsWith("[") && text.endsWith("]");
  const words = (isBracketed ? text.slice(1, -1) : text).trim().toLowerCase();
  if (Object.hasOwn(LACKS, words)) return LACKS[words] ?? null;
  return isBracketed ? "unknown" : null;
}

const NUMBER = /^(-?\d{1,17}(?:\.\d{1,9})?)(?: ?(?:%|MiB|KiB|GiB|W|MHz|C|us|ms|KB\/s|MB\/s))?$/;

export function readNumber(cell: string): Reading {
  const na = lackOf(cell);
  if (na !== null) return { na };
  const digits = NUMBER.exec(cell.trim())?.[1];
  if (digits === undefined) return { na: "garbled" };
  const v = Number(digits);
  return Math.abs(v) <= Number.MAX_SAFE_INTEGER ? { v } : { na: "garbled" };
}

export function readText(cell: string): Reading<string> {
  const na = lackOf(cell);
  return na === null ? { v: cell.trim() } : { na };
}

const FLAGS: Readonly<Record<string, boolean>> = {
  yes: true,
  no: false,
  enabled: true,
  disabled: false,
  active: true,
  "not active": false,
  on: true,
  off: false,
};

export function readFlag(cell: string): Reading<boolean> {
  const na = lackOf(cell);
  if (na !== null) return { na };
  const words = cell.trim().toLowerCase();
  const v = Object.hasOwn(FLAGS, words) ? FLAGS[words] : undefined;
  return v === undefined ? { na: "garbled" } : { v };
}

/** 0x0000000000000044; up to 53 bits, of which NVML uses 9. */
export function readMask(cell: string): Reading {
  const na = lackOf(cell);
  if (na !== null) return { na };
  const digits = /^0x([0-9a-fA-F]{1,16})$/.exec(cell.trim())?.[1];
  if (digits === undefined) return { na: "garbled" };
  const v = Number.parseInt(digits, 16);
  return Number.isSafeInteger(v) ? { v } : { na: "garbled" };
}
