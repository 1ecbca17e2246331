/** Who has been told of what, on disk: a controller that is started again tells nobody twice. */

import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";

export type Marks = {
  readonly has: (id: string, target: string) => boolean;
  /** `why` null: told; else why nobody tries any more. Errors: those of the disk. */
  readonly add: (id: string, target: string, why: string | null) => void;
};

export function openMarks(dir: string): Marks {
  const path = join(dir, "notified.jsonl");
  const keyOf = (id: string, target: string): string => `${id} ${target}`;
  const known = new Set(readMarks(path).map(({ id, target }) => keyOf(id, target)));
  return {
    has: (id, target) => known.has(keyOf(id, target)),
    add: (id, target, why) => {
      known.add(keyOf(id, target));
      appendFileSync(path, `${JSON.stringify({ id, target, at: Date.now(), ...(why === null ? {} : { why }) })}\n`, { mode: 0o600, flush: true });
    },
  };
}

function readMarks(path: string): { readonly id: string; readonly target: string }[] {
  let text = "";
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return []; // the first one
  }
  return text.split("\n").flatMap((line) => {
    try {
      const { id, target } = JSON.parse(line) as { id?: unknown; target?: unknown };
      return typeof id === "string" && typeof target === "string" ? [{ id, target }] : [];
    } catch {
      return []; // torn by a death
    }
  });
}
