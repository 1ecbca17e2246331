/** What is left over of a run that lives elsewhere is not ended by mistake: the question comes with a caution. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Audit } from "../../../controller/cli/audit-look.ts";
import { cautions } from "../../../controller/cli/audit-words.ts";

const audit = (...attempts: readonly (readonly [run: string, verdict: string])[]): Audit =>
  ({
    attempts: attempts.map(([run, verdict]) => ({ run, attempt: 1, verdict, count: 1, why: "", shim: null, processes: [] })),
    agents: [],
    files: [],
    strays: [],
  }) as unknown as Audit;

test("a run that is alive on another host is named before anything of it is ended", () => {
  const found = cautions([
    { host: "a", audit: audit(["train_1", "alive"]) },
    { host: "b", audit: audit(["train_1", "left"], ["train_2", "left"]) },
  ]);
  assert.equal(found.length, 1);
  assert.match(found[0] ?? "", /^train_1 is alive on a: .*ends the attempt everywhere$/);
  assert.deepEqual(cautions([{ host: "b", audit: audit(["train_2", "left"]) }]), []);
});
