/** A plain value together with where each part of it was written. */

import { type ConfigProblem, type Path, problemAt, type Source } from "./problem.ts";

export type Where = { readonly source: Source; readonly value: number; readonly key: number };
export type Positions = ReadonlyMap<string, Where>;
export type Plain = null | boolean | number | string | readonly Plain[] | { readonly [key: string]: Plain };
export type Located = { readonly value: Plain; readonly at: Positions };

// A NUL cannot be part of a key: the reader refuses it.
export const pathKey = (path: Path): string => path.join("\u0000");

export const isMap = (value: unknown): value is { readonly [key: string]: Plain } => typeof value === "object" && value !== null && !Array.isArray(value);

export function valueAt(value: Plain | undefined, path: Path): Plain | undefined {
  let here: Plain | undefined = value;
  for (const part of path) {
    if (Array.isArray(here)) here = here[Number(part)];
    else if (isMap(here) && Object.hasOwn(here, part)) here = here[part];
    else return undefined;
  }
  return here;
}

/** Where `path` was written; where it was not, its nearest parent that was. */
export function whereIs(at: Positions, path: Path): Where | undefined {
  for (let n = path.length; n >= 0; n--) {
    const where = at.get(pathKey(path.slice(0, n)));
    if (where !== undefined) return where;
  }
  return undefined;
}

const NOWHERE: Source = { name: "(configuration)", text: "" };

export function problemIn(at: Positions, path: Path, message: string, options: { readonly hint?: string; readonly key?: boolean } = {}): ConfigProblem {
  const where = whereIs(at, path);
  if (where === undefined) return problemAt(NOWHERE, 0, path, message, options.hint);
  return problemAt(where.source, options.key === true ? where.key : where.value, path, message, options.hint);
}

/** `located` with what lies at `path` replaced by `part`. Maps on the way are made; a list is entered, never grown. Null: the way is barred. */
export function assign(located: Located, path: Path, part: Located): Located | null {
  const value = put(located.value, path, part.value);
  if (value === undefined) return null;
  const at = new Map(located.at);
  const own = pathKey(path);
  for (const key of at.keys()) if (key === own || key.startsWith(`${own}\u0000`) || own === "") at.delete(key);
  for (const [key, where] of part.at) at.set(key === "" ? own : own === "" ? key : `${own}\u0000${key}`, where);
  return { value, at };
}

function put(here: Plain | undefined, path: Path, leaf: Plain): Plain | undefined {
  const [head, ...rest] = path;
  if (head === undefined) return leaf;
  if (Array.isArray(here)) {
    const index = Number(head);
    if (!Number.isInteger(index) || index < 0 || index >= here.length) return undefined;
    const inner = put(here[index], rest, leaf);
    return inner === undefined ? undefined : here.map((item: Plain, i) => (i === index ? inner : item));
  }
  const inner = put(isMap(here) && Object.hasOwn(here, head) ? here[head] : undefined, rest, leaf);
  return inner === undefined ? undefined : { ...(isMap(here) ? here : {}), [head]: inner };
}

/** Lays `upper` over `lower`: maps join key by key, all else is replaced whole. */
export function layOver(lower: Located, upper: Located, path: Path = []): Located {
  const value = valueAt(upper.value, path);
  if (value === undefined) return lower;
  if (isMap(value) && (path.length === 0 || isMap(valueAt(lower.value, path)))) {
    return Object.keys(value).reduce((merged, key) => layOver(merged, upper, [...path, key]), lower);
  }
  return assign(lower, path, partOf(upper, path)) ?? lower;
}

export function partOf(located: Located, path: Path): Located {
  const own = pathKey(path);
  const at = new Map<string, Where>();
  for (const [key, where] of located.at) {
    if (key === own) at.set("", where);
    else if (own === "" || key.startsWith(`${own}\u0000`)) at.set(own === "" ? key : key.slice(own.length + 1), where);
  }
  return { value: valueAt(located.value, path) ?? null, at };
}
