/** Takes secrets out of text that leaves the machine: the values that are known, and what looks like one. */

import type { SecretValues } from "../spec.ts";

/** Shorter values are words of any text. */
const VALUE_MIN = 6;

const SHAPES: readonly RegExp[] = [
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  /\bhf_[A-Za-z0-9]{16,}/g,
  /\bsk-[A-Za-z0-9_-]{16,}/g,
  /\b(?:ghp|gho|ghs|github_pat|glpat|xox[abprs]|tskey)[-_][A-Za-z0-9_-]{10,}/g,
  /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/g,
  /\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+/g,
];

/** name=value, "name": "value" and --name value, where the name says that it is one. */
const NAMED =
  /((?:api[_-]?key|access[_-]?key|secret|token(?!i[sz])(?!s?[\s_]*(?:per|seen|\/))|passw(?:or)?d|credentials?|private[_-]?key)[\w-]*["']?(?:\s*[=:]\s*|\s+)["']?)([^\s"',;&}]{6,})/gi;
/** What stands there when it is no secret: its absence or a reference. */
const IS_NO_SECRET = /^(?:true|false|null|none|absent|\$\w+|[-+]?\d[\d.,]*(?:e[-+]?\d+)?(?:%|\/s)?|\{\{?.*)$/i;
const IN_URL = /(:\/\/[^\s/:@]+:)[^\s/@]+@/g;

export const REMOVED = "[removed]";

export function redact(text: string, secrets: SecretValues = {}): string {
  let out = text;
  const values = Object.values(secrets).flatMap((scope) => Object.values(scope));
  for (const value of [...new Set(values)].filter((each) => each.length >= VALUE_MIN).sort((a, b) => b.length - a.length)) {
    out = out.replaceAll(value, REMOVED);
    // As it stands in JSON.
    out = out.replaceAll(JSON.stringify(value).slice(1, -1), REMOVED);
  }
  for (const shape of SHAPES) out = out.replace(shape, REMOVED);
  out = out.replace(IN_URL, `$1${REMOVED}@`);
  return out.replace(NAMED, (whole, name: string, value: string) => (IS_NO_SECRET.test(value) || value.startsWith(REMOVED) ? whole : `${name}${REMOVED}`));
}
