/** Flags over NEXADIST_* over the file over the person's own file: one tree in which each value knows where it came from. */

import { type Anchor, anchorPaths } from "./controller-paths.ts";
import { environmentKeys } from "./keys.ts";
import { assign, type Located, layOver, pathKey, problemIn, valueAt, type Where } from "./located.ts";
import { nearest } from "./nearest.ts";
import { type ConfigProblem, type Path, problemAt, type Source } from "./problem.ts";
import { readYaml } from "./read-yaml.ts";

export type Overrides = {
  /** `a.b=value`, in the order given. */
  readonly set: readonly string[];
  readonly name: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Where paths of flags and NEXADIST_* start. */
  readonly anchor: Anchor;
};

export type Layered = { readonly located: Located; readonly problems: readonly ConfigProblem[] };

export function layer(user: Located | null, file: Located, overrides: Overrides): Layered {
  const problems: ConfigProblem[] = [];
  let located = user === null ? file : layOver(user, file);
  const put = (source: Source, path: Path, key: number, value: number): void => {
    const part = readValue(source, path, key, value);
    if (!part.ok) {
      problems.push(...part.problems);
      return;
    }
    const anchored = anchor(part.located, path, overrides.anchor);
    const next = assign(located, path, anchored);
    if (next === null) problems.push(problemAt(source, key, path, "there is no such item in the file"));
    else located = withParents(next, path, { source, key: 0, value: 0 });
  };
  for (const [name, key] of environmentKeys()) {
    const value = overrides.environment[name];
    if (value !== undefined) put({ name, text: `${name}=${value}` }, key.split("."), 0, name.length + 1);
  }
  problems.push(...mistypedVariables(overrides.environment));
  for (const text of overrides.set) {
    const source = { name: "--set", text };
    const path = setPath(text);
    if (path === null) problems.push(problemAt(source, 0, [], "expected KEY=value, such as timeouts.connect=10s"));
    else put(source, path, lastKey(text), text.indexOf("=") + 1);
  }
  if (overrides.name !== undefined) put({ name: "--name", text: overrides.name }, ["name"], 0, 0);
  return { located, problems };
}

/** Maps on the way that are nowhere else were written here: what is wrong with their names is not the file's fault. */
function withParents(located: Located, path: Path, where: Where): Located {
  const at = new Map(located.at);
  for (let n = 1; n < path.length; n++) {
    const own = pathKey(path.slice(0, n));
    if (!at.has(own)) at.set(own, where);
  }
  return { value: located.value, at };
}

/** `cluster.0.gpus=2` and `cluster[0].gpus=2`; after `env.` all up to the `=` is one name. */
function setPath(text: string): Path | null {
  if (!text.includes("=")) return null;
  const name = text.slice(0, text.indexOf("="));
  const [, lead = name, variable] = /^((?:.*\.)?env)\.(.*)$/s.exec(name) ?? [];
  if (!/^[A-Za-z_]\w*((\.\w+)|(\[\d+\]))*$/.test(lead) || variable === "") return null;
  const parts = lead.split(/[.[\]]+/).filter((part) => part !== "");
  const keys = variable === undefined ? parts : [...parts, variable];
  if (keys.some((key) => key === "__proto__" || key === "constructor" || key === "prototype" || key.includes("\0")) || keys.length > 8) return null;
  return keys.map((key, i) => (/^\d+$/.test(key) && i < parts.length ? Number(key) : key));
}

/** Where the last key starts, for the caret. */
const lastKey = (text: string): number => {
  const name = text.slice(0, text.indexOf("="));
  return Math.max(name.lastIndexOf("."), name.lastIndexOf("[")) + 1;
};

type Value = { readonly ok: true; readonly located: Located } | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

function readValue(source: Source, path: Path, key: number, value: number): Value {
  const text = source.text.slice(value);
  const where: Where = { source, key, value };
  // The shell has done its quoting: a variable is what was typed.
  if (path.at(-2) === "env") return { ok: true, located: { value: text, at: new Map([["", where]]) } };
  const read = readYaml(source, { base: path, offset: value });
  if (!read.ok) return read;
  const at = new Map(read.located.at);
  at.set("", { ...where, value: at.get("")?.value ?? value });
  return { ok: true, located: { value: read.located.value, at } };
}

/** Anchors the paths in a part that will stand at `path`. */
function anchor(part: Located, path: Path, where: Anchor): Located {
  const whole = path.reduceRight<Located>((inner, key) => ({ value: typeof key === "number" ? [inner.value] : { [key]: inner.value }, at: new Map() }), {
    value: part.value,
    at: new Map(),
  });
  const zeroed = path.map((key) => (typeof key === "number" ? 0 : key));
  const anchored = anchorPaths(whole, where);
  return { value: valueAt(anchored.value, zeroed) ?? null, at: part.at };
}

/** A NEXADIST_ name that is one slip away from a key; names that have nothing to do with keys are other people's. */
function mistypedVariables(environment: Overrides["environment"]): ConfigProblem[] {
  const known = [...environmentKeys().keys()];
  return Object.keys(environment).flatMap((name) => {
    // Short names are near everything.
    if (!name.startsWith("NEXADIST_") || name.length < 16 || known.includes(name) || OTHERS.has(name)) return [];
    const close = nearest(
      name.slice(9),
      known.map((key) => key.slice(9)),
    );
    const part = { value: null, at: new Map([["", { source: { name, text: `${name}=…` }, key: 0, value: 0 }]]) };
    return close === null ? [] : [problemIn(part.at, [], "sets no key", { hint: `did you mean NEXADIST_${close}?` })];
  });
}

/** Set by us for ranks and agents, or read elsewhere: not keys of the file. */
const OTHERS = new Set(
  ["DIR", "SOCKET", "RUN", "ATTEMPT", "MARK", "MASTER_PORT", "SCRATCH_BASE", "STATE_DIR", "RUNTIME_DIR", "HOST", "RANK", "CHECKPOINT"].map(
    (name) => `NEXADIST_${name}`,
  ),
);
