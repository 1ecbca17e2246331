/** The short pass of the fault matrix: real sshd, torchrun and gloo, one of each of some faults on one long-lived run. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { needsRoot } from "../support/lab.ts";

test("chaos, the short pass: no surprise", { skip: needsRoot }, async () => {
  const { exitCode, stdout, stderr } = await execa(fileURLToPath(new URL("../../scripts/chaos", import.meta.url)), ["--quick"], {
    reject: false,
    stdin: "ignore",
  });
  assert.equal(exitCode, 0, stdout + stderr);
  assert.match(stdout, /^6 trials, seed 1: no surprise$/m);
});
