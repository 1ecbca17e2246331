/** Holds a located value against a schema; what does not fit becomes problems at their line and column. */

import type * as z from "zod";
import { keysAt, laterFeature } from "./keys.ts";
import { isMap, type Located, type Plain, problemIn, valueAt } from "./located.ts";
import { nearest } from "./nearest.ts";
import type { ConfigProblem, Path } from "./problem.ts";
import { MAX_PROBLEMS } from "./read-yaml.ts";

type Validated<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/** `keys`: the names that are valid at a path, for typos; by default those of the cluster file. */
export function validate<T>(located: Located, schema: z.ZodType<T>, keys: (path: Path) => readonly string[] = keysAt): Validated<T> {
  const result = schema.safeParse(located.value, { reportInput: false });
  if (result.success) return { ok: true, value: result.data };
  const problems: ConfigProblem[] = [];
  for (const issue of result.error.issues) {
    if (problems.length >= MAX_PROBLEMS) break;
    problems.push(...toProblems(located, issue, [], keys));
  }
  return { ok: false, problems: inOrder(problems) };
}

/** As a compiler would list them: by place, each once. */
export function inOrder(problems: readonly ConfigProblem[]): readonly ConfigProblem[] {
  const seen = new Set<string>();
  return problems
    .filter((p) => {
      const key = `${p.file}\0${p.line}\0${p.column}\0${p.message}`;
      return seen.has(key) ? false : seen.add(key) !== undefined;
    })
    .toSorted((a, b) => (a.file === b.file ? a.line - b.line || a.column - b.column : 0));
}

function toProblems(located: Located, issue: z.core.$ZodIssue, parent: Path, keys: (path: Path) => readonly string[]): ConfigProblem[] {
  const path: Path = [...parent, ...issue.path.map((part) => (typeof part === "symbol" ? String(part) : part))];
  const value = valueAt(located.value, path);
  if (issue.code === "unrecognized_keys") return issue.keys.slice(0, MAX_PROBLEMS).map((key) => unknownKey(located, path, key, keys(path)));
  if (issue.code === "invalid_union") {
    const fit = branchFor(value, issue.errors);
    if (fit !== null) return fit.flatMap((inner) => toProblems(located, inner, path, keys));
  }
  if (issue.code === "invalid_key") return issue.issues.map((inner) => problemIn(located.at, path, inner.message, { key: true }));
  const missing = value === undefined && path.length > 0;
  if (missing) return [problemIn(located.at, path.slice(0, -1), `\`${String(path.at(-1))}\` is missing: ${issue.message}`)];
  const got = issue.code === "custom" ? "" : `, got ${describe(value)}`;
  return [problemIn(located.at, path, `${issue.message}${got}`)];
}

/** Of a union's branches the one for a value of this kind, when its errors lie deeper than the value itself: they say more than the union's. */
function branchFor(value: Plain | undefined, branches: readonly (readonly z.core.$ZodIssue[])[]): readonly z.core.$ZodIssue[] | null {
  if (typeof value === "string") return branches.find((issues) => issues.every((issue) => issue.code === "custom")) ?? null;
  if (!Array.isArray(value) && !isMap(value)) return null;
  return branches.find((issues) => issues.some((issue) => issue.path.length > 0 || issue.code === "too_small" || issue.code === "too_big")) ?? null;
}

function unknownKey(located: Located, path: Path, key: string, valid: readonly string[]): ConfigProblem {
  const at: Path = [...path, key];
  const later = laterFeature(path, key);
  if (later !== null) return problemIn(located.at, at, `not there yet: ${later} will come with a later version`, { key: true, hint: "remove the key" });
  const close = nearest(key, valid);
  const hint = close === null ? `valid here: ${valid.join(", ")}` : `did you mean \`${close}\`?`;
  return problemIn(located.at, at, "unknown key", { key: true, hint });
}

function describe(value: Plain | undefined): string {
  if (value === undefined || value === null) return "nothing";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (isMap(value)) return "a map";
  const shown = typeof value === "number" ? String(value) : JSON.stringify(value); // JSON has no NaN
  return shown.length > 60 ? `${shown.slice(0, 60)}…` : shown;
}
