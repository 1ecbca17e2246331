/** What a drill makes of a cluster file, and how it tells what it did. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { drillOf, faultsOf } from "../../../cluster/drill/faults.ts";
import { type Drilled, rowsOf } from "../../../cluster/drill/report.ts";
import type { RunSpec } from "../../../cluster/spec.ts";

const spec = {
  run: "train_1",
  name: "mine",
  launcher: "command",
  job: { kind: "command", argv: ["rm", "-rf", "things"] },
  code: { kind: "snapshot", root: "/home/me" },
  resumeArgs: ["{checkpoint}"],
  paths: { checkpoints: "/data/mine" },
  seat: "a",
  timeouts: { runMs: null, connectMs: 7 },
} as unknown as RunSpec;

test("nothing of the user's job is in a drill, and no place where they keep things", () => {
  const made = drillOf(spec, "drill_1");
  assert.deepEqual(made.job, { kind: "smoke", args: ["--seconds", "3600", "--sleep", "0.2"] });
  assert.deepEqual([made.run, made.name, made.launcher, made.code.kind, made.seat], ["drill_1", "drill", "torchrun", "none", null]);
  assert.deepEqual([made.paths, made.resumeArgs], [{}, []]);
  assert.equal(made.timeouts.connectMs, 7);
  assert.ok(made.timeouts.runMs !== null, "it ends by itself");
});

test("without a launcher of the ranks' own there is none to kill", () => {
  assert.ok(faultsOf("torchrun").includes("launcher"));
  assert.ok(!faultsOf("direct").includes("launcher"));
});

test("a row says what came of it, beside what this project measured", () => {
  const one: Drilled = { fault: "rank", host: "gpu-a", seenMs: 120, againMs: null, wrong: "it did not: it is failed" };
  const [head, row] = rowsOf([one]);
  assert.equal(head?.length, row?.length);
  assert.deepEqual(row?.slice(0, 5), ["a rank is killed (gpu-a)", "train again", "it did not: it is failed", "0.1 s", "-"]);
});
