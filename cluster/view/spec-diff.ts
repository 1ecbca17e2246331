/** What two runs were asked for differently: configuration key by key, hosts by their names, arguments by theirs. Pure. */

import type { RunSpec } from "../spec.ts";

/** null: not set there. */
export type SpecChange = { readonly key: string; readonly a: string | null; readonly b: string | null };

/** Of one run alone, or of how it is written down. */
const NOT_COMPARED: ReadonlySet<string> = new Set(["schema", "run"]);

export function specDiff(a: RunSpec, b: RunSpec): readonly SpecChange[] {
  // Of a host that only one of them has no key is a difference: the list of hosts says it.
  const both = new Set(a.hosts.map(({ name }) => name).filter((name) => b.hosts.some((host) => host.name === name)));
  const [left, right] = [flat(a, both), flat(b, both)];
  const keys = [...new Set([...left.keys(), ...right.keys()])];
  return keys
    .map((key): SpecChange => ({ key, a: left.get(key) ?? null, b: right.get(key) ?? null }))
    .filter((change) => change.a !== change.b)
    .sort((x, y) => (x.key < y.key ? -1 : 1));
}

function flat({ hosts, job, resumeArgs, ...rest }: RunSpec, both: ReadonlySet<string>): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of Object.entries(rest)) if (!NOT_COMPARED.has(key)) into(found, key, value);
  found.set("hosts", hosts.map(({ name }) => name).join(", "));
  for (const { name, ...host } of hosts) if (both.has(name)) into(found, `host ${name}`, host);
  for (const [key, value] of Object.entries(job)) {
    if (key === "args" || key === "argv") for (const [flag, word] of argumentsOf(value as readonly string[])) found.set(`job.${key} ${flag}`, word);
    else into(found, `job.${key}`, value);
  }
  if (resumeArgs.length > 0) found.set("resumeArgs", resumeArgs.join(" "));
  return found;
}

function into(found: Map<string, string>, key: string, value: unknown): void {
  if (value === undefined || value === null) return;
  if (typeof value === "object" && !Array.isArray(value)) {
    for (const [name, inner] of Object.entries(value)) into(found, `${key}.${name}`, inner);
    return;
  }
  const text = Array.isArray(value) ? value.map((one) => (typeof one === "object" ? JSON.stringify(one) : String(one))).join(", ") : String(value);
  if (text !== "") found.set(key, text);
}

/** `--lr 3e-4`, `--lr=3e-4` → its name and value; a flag alone is "given"; others by their place. */
function argumentsOf(words: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const add = (name: string, value: string): void => {
    const before = found.get(name);
    found.set(name, before === undefined ? value : `${before}, ${value}`);
  };
  let place = 0;
  for (let k = 0; k < words.length; k += 1) {
    const word = words[k] ?? "";
    const next = words[k + 1];
    const [, name, value] = /^(--?[A-Za-z][\w.-]*)(?:=([\s\S]*))?$/.exec(word) ?? [];
    if (name === undefined) add(`${++place}`, word);
    else if (value !== undefined) add(name, value);
    else if (next !== undefined && !/^--?[A-Za-z]/.test(next)) {
      add(name, next);
      k += 1;
    } else add(name, "given");
  }
  return found;
}
