/** Takes secrets out of what a recording holds: of every text in it, of texts under a name that says so, and of keys that a log shows over several lines. */

import { REMOVED, redact } from "../diag/redact.ts";
import type { SecretValues } from "../spec.ts";
import type { LogLine } from "../viewer.ts";

/** A copy of plain data, its texts redacted. */
export function scrub<T>(value: T, secrets: SecretValues): T {
  return walk(value, secrets, null) as T;
}

function walk(value: unknown, secrets: SecretValues, name: string | null): unknown {
  if (typeof value === "string") {
    const text = redact(value, secrets);
    return name !== null && redact(`${name}="${text}"`, {}).includes(REMOVED) && !text.includes(REMOVED) ? REMOVED : text;
  }
  if (Array.isArray(value)) return value.map((one) => walk(one, secrets, null));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, walk(one, secrets, key)]));
}

const BEGINS = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;
const ENDS = /-----END [A-Z ]*PRIVATE KEY-----/;
/** A key of more lines is none: what follows is shown again. */
const KEY_LINES = 200;

/** Lines in the order of their streams. */
export function scrubLines(secrets: SecretValues): (line: LogLine) => LogLine {
  const inKey = new Map<string, number>();
  return (line) => {
    const stream = JSON.stringify([line.host, line.attempt, line.rank, line.stream]);
    const before = inKey.get(stream) ?? 0;
    const isInside = before > 0 && before < KEY_LINES;
    const isOpen = ENDS.test(line.text) ? false : isInside || BEGINS.test(line.text);
    if (isOpen) inKey.set(stream, before + 1);
    else inKey.delete(stream);
    return { ...line, text: isInside ? REMOVED : redact(line.text, secrets) };
  };
}
