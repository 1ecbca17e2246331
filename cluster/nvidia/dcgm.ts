/** `dcgmi diag -r N -j`: its shape changed between versions 3 and 4; a test is whatever has a name and results. It may exit with an error and be whole. */

export type DcgmStatus = "pass" | "warn" | "fail" | "skip" | "unknown";

export type DcgmTest = {
  readonly name: string;
  readonly status: DcgmStatus;
  /** GPUs by number; empty: it speaks of the host. */
  readonly gpus: readonly string[];
  readonly warnings: readonly string[];
};

type Node = { readonly [key: string]: unknown };
const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null && !Array.isArray(value);

const STATUS: Readonly<Record<string, DcgmStatus>> = {
  pass: "pass",
  passed: "pass",
  ok: "pass",
  warn: "warn",
  warning: "warn",
  fail: "fail",
  failed: "fail",
  skip: "skip",
  skipped: "skip",
  notrun: "skip",
  "not run": "skip",
};
const statusOf = (value: unknown): DcgmStatus => (typeof value === "string" ? (STATUS[value.toLowerCase()] ?? "unknown") : "unknown");

const DEPTH_MAX = 12;

/** null: it is no such JSON. A status that nobody knows stays unknown. */
export function readDcgm(out: string): readonly DcgmTest[] | null {
  const start = out.indexOf("{");
  if (start < 0) return null;
  let value: unknown;
  try {
    value = JSON.parse(out.slice(start));
  } catch {
    return null;
  }
  const tests = testsIn(value, 0);
  return tests.length === 0 ? null : tests;
}

function testsIn(value: unknown, depth: number): readonly DcgmTest[] {
  if (depth > DEPTH_MAX) return [];
  if (Array.isArray(value)) return value.flatMap((each) => testsIn(each, depth + 1));
  if (!isNode(value)) return [];
  const { name, results } = value;
  if (typeof name !== "string" || !Array.isArray(results)) return Object.values(value).flatMap((each) => testsIn(each, depth + 1));
  return results.filter(isNode).map((result) => ({ name, status: statusOf(result["status"]), gpus: gpusOf(result), warnings: warningsOf(result["warnings"]) }));
}

function gpusOf(result: Node): readonly string[] {
  const ids =
    result["gpu_ids"] ?? result["gpu_id"] ?? (result["entity_group"] === "GPU" || result["entity_group"] === undefined ? result["entity_id"] : undefined);
  if (ids === undefined || ids === null) return [];
  return String(ids)
    .split(/[,\s]+/)
    .filter((id) => /^\d{1,4}$/.test(id));
}

function warningsOf(value: unknown): readonly string[] {
  if (typeof value === "string") return value === "" ? [] : [value.slice(0, 500)];
  if (Array.isArray(value)) return value.flatMap(warningsOf).slice(0, 8);
  return isNode(value) ? warningsOf(value["warning"] ?? value["message"] ?? "") : [];
}
