/** A composed YAML document to plain values and their positions; aliases are copied in, counted, and never loop. */

import { type Document, isAlias, isMap, isScalar, isSeq, type Node, type Scalar } from "yaml";
import { type Located, type Plain, pathKey, type Where } from "./located.ts";
import type { Path, Source } from "./problem.ts";

export const MAX_VALUES = 20_000;
export const MAX_ALIASES = 16;

/** Scalars under these keys are text as it was written: `022`, `3e-4` and `yes` reach the ranks unchanged. */
const TEXT_KEYS = new Set(
  "host user identity address interface python setup workdir script module command args resume_args step_pattern seat name tags env env_file accelerate_config paths".split(
    " ",
  ),
);
/** An empty map under these (all its lines commented out) is the same as none. */
const MAPS = new Set("defaults env job timeouts restart controller logs paths".split(" "));

export type Conversion = {
  readonly source: Source;
  readonly document: Document.Parsed;
  /** Where the value will stand in the cluster file. */
  readonly base: Path;
  /** Any YAML, not a cluster file: no key means text. */
  readonly free: boolean;
  /** Added to every offset: the value starts there in its source. */
  readonly shift: number;
  readonly report: (offset: number, path: Path, message: string, hint?: string) => void;
};

/** Thrown to leave the recursion at once; its words are reported already. */
class Enough extends Error {}

/** Reports what it refuses; the result counts only when nothing was reported. */
export function convertDocument(c: Conversion): Located {
  const at = new Map<string, Where>();
  const open = new Set<Node>();
  let values = 0;
  let aliases = 0;

  const stop = (offset: number, path: Path, message: string, hint?: string): never => {
    c.report(offset, path, message, hint);
    throw new Enough();
  };

  const convert = (node: Node | null, path: Path, key: number, fallback: number): Plain => {
    const offset = node?.range?.[0] ?? fallback;
    const full = [...c.base, ...path];
    if (++values > MAX_VALUES) stop(offset, full, `more than ${MAX_VALUES} values`);
    at.set(pathKey(path), { source: c.source, value: offset + c.shift, key: key + c.shift });
    if (node === null) return null;
    if (isAlias(node)) {
      const remedy = "put what hosts have in common under `defaults:`";
      if (++aliases > MAX_ALIASES) stop(offset, full, `more than ${MAX_ALIASES} aliases`, remedy);
      const target = node.resolve(c.document);
      if (target === undefined) return stop(offset, full, `no anchor \`&${node.source}\` before this alias`);
      if (open.has(target)) stop(offset, full, `\`*${node.source}\` holds itself`);
      return convert(target, path, key, offset);
    }
    if (node.tag !== undefined && node.tag !== "tag:yaml.org,2002:str") c.report(offset, full, "tags (`!…`) are not supported", "write the plain value");
    if (isScalar(node)) return scalar(node, full, offset);
    open.add(node);
    const value = isSeq<Node | null>(node)
      ? node.items.map((item, i) => convert(item, [...path, i], item?.range?.[0] ?? offset, offset))
      : map(node, path, offset);
    open.delete(node);
    return value;
  };

  const map = (node: Node, path: Path, offset: number): Plain => {
    const result: Record<string, Plain> = {};
    if (!isMap<Node, Node | null>(node)) return result;
    for (const pair of node.items) {
      const start = pair.key.range?.[0] ?? offset;
      const full = [...c.base, ...path];
      const name = isScalar(pair.key) ? (typeof pair.key.value === "string" ? pair.key.value : (pair.key.source ?? "")) : null;
      if (name === null || name.includes("\0") || name.length > 1024) c.report(start, full, "a key must be short plain text");
      else if (name === "__proto__" || name === "constructor" || name === "prototype") c.report(start, full, `\`${name}\` cannot be a key`);
      else if (name === "<<") c.report(start, full, "merge keys (`<<`) are not supported", "put what hosts have in common under `defaults:`");
      else {
        const value = convert(pair.value, [...path, name], start, start);
        if (value !== null || c.free || !MAPS.has(name)) result[name] = value;
      }
    }
    return result;
  };

  const scalar = (node: Scalar, full: Path, offset: number): Plain => {
    const { value, source } = node;
    if (typeof value === "string") {
      if (value.includes("\0")) c.report(offset, full, "a NUL character is not allowed");
      return value;
    }
    if (value === null || value === undefined) return null;
    if (!c.free && full.some((part) => typeof part === "string" && TEXT_KEYS.has(part))) return source ?? String(value);
    if (typeof value === "number" && /^[-+]?0\d/.test(source ?? "")) {
      c.report(offset, full, `${source} is octal to some readers and decimal to others`, `write ${value}`);
    }
    return typeof value === "boolean" || typeof value === "number" ? value : (source ?? String(value));
  };

  try {
    return { value: convert(c.document.contents, [], 0, 0), at };
  } catch (thrown) {
    if (thrown instanceof Enough) return { value: null, at };
    throw thrown;
  }
}
