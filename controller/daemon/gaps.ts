/** What of a stored stream never came: the records of gaps.jsonl beside it, in order and without overlap. */

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { LogGap } from "../../cluster/viewer.ts";

export type StoredGap = LogGap & { readonly at: number };

export const gapsFile = (path: string): string => join(dirname(path), "gaps.jsonl");

export function readGaps(path: string, stream: string): StoredGap[] {
  const file = gapsFile(path);
  if (!existsSync(file)) return [];
  const found = readFileSync(file, "utf8")
    .split("\n")
    .flatMap((line) => parse(line, stream))
    .sort((a, b) => a.from - b.from);
  const gaps: StoredGap[] = [];
  for (const gap of found) {
    // Recorded twice when the controller died between the record and the hole.
    const from = Math.max(gap.from, gaps.at(-1)?.to ?? 0);
    if (from < gap.to) gaps.push({ ...gap, from });
  }
  return gaps;
}

function parse(line: string, stream: string): StoredGap[] {
  try {
    const { stream: of, from, to, why, at } = JSON.parse(line) as Record<string, unknown>;
    if (of !== stream || typeof from !== "number" || typeof to !== "number") return [];
    return [{ from, to, why: String(why), at: typeof at === "number" ? at : 0 }];
  } catch {
    return []; // torn by a full disk
  }
}
