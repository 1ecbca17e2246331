/** What changed between two plain maps, as JSON merge patch (RFC 7396): null takes a key away. Values are never null, and lists are values. */

type Json = { readonly [key: string]: unknown };

const isMap = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);
const isSame = (a: unknown, b: unknown): boolean => a === b || (typeof a === "object" && JSON.stringify(a) === JSON.stringify(b));
/** What a map has by birth, such as toString, is not in it. */
const own = (map: Json, key: string): unknown => (Object.hasOwn(map, key) ? map[key] : undefined);
/** A host's patch must not reach a prototype. */
const isKey = (key: string): boolean => key !== "__proto__";

/** {}: nothing changed. */
export function diff(before: Json, after: Json): Json {
  const out: Record<string, unknown> = {};
  for (const key of Object.keys(before)) if (own(after, key) === undefined) out[key] = null;
  for (const [key, value] of Object.entries(after)) {
    if (value === undefined || !isKey(key)) continue;
    const old = own(before, key);
    if (isMap(value) && isMap(old)) {
      const inner = diff(old, value);
      if (Object.keys(inner).length > 0) out[key] = inner;
    } else if (!isSame(old, value)) out[key] = value;
  }
  return out;
}

export function applyPatch(before: Json, patch: Json): Json {
  const out: Record<string, unknown> = { ...before };
  for (const [key, value] of Object.entries(patch)) {
    if (!isKey(key)) continue;
    const old = own(out, key);
    if (value === null) delete out[key];
    else if (isMap(value)) out[key] = applyPatch(isMap(old) ? old : {}, value);
    else out[key] = value;
  }
  return out;
}
