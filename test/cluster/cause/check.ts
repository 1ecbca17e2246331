/** One case of the root cause as a test of its own. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Evidence } from "../../../cluster/cause/evidence.ts";
import { rootCause } from "../../../cluster/cause/root-cause.ts";
import { exit } from "./scenes.ts";

type Wanted = {
  readonly kind: string;
  readonly text: string | RegExp;
  readonly code?: string | null;
  readonly place?: string | null;
  readonly isFinal?: boolean;
};

export function check(name: string, evidence: Evidence, wanted: Wanted): void {
  test(name, () => {
    const cause = rootCause(evidence);
    if (typeof wanted.text === "string") assert.equal(cause.text, wanted.text);
    else assert.match(cause.text, wanted.text);
    assert.equal(cause.kind, wanted.kind);
    if (wanted.code !== undefined) assert.equal(cause.code, wanted.code);
    if (wanted.place !== undefined) assert.equal(cause.place, wanted.place);
    assert.equal(cause.isFinal, wanted.isFinal ?? false);
    assert.ok(cause.evidence.length <= 12 && cause.evidence.every((line) => /^[\w.-]+( [\w.]+)*: \S/.test(line)), cause.evidence.join("\n"));
  });
}

/** Every rank but one, ended by us. */
export const stopped = (from: number): Evidence["exits"] =>
  [0, 1, 2, 3, 4, 5, 6, 7].filter((rank) => rank !== from).map((rank) => exit(rank, 5000 + rank, { signal: "SIGTERM", isStopped: true }));
