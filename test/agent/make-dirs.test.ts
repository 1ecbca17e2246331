/** Directories of the user's choice are made or refused, never waited for. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makeDirs } from "../../agent/make-dirs.ts";

test("makes what is missing, twice is once", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "nexa-dirs-"));
  t.after(() => rmSync(dir, { recursive: true }));
  for (let k = 0; k < 2; k++) makeDirs(join(dir, "a/b/c"), 0o700);
  assert.ok(statSync(join(dir, "a/b/c")).isDirectory());
  assert.throws(() => {
    makeDirs(join(dir, "a/b/c"), 0o700);
    makeDirs("/dev/null/x", 0o700);
  }, /ENOTDIR/);
});

test("a file system that makes nothing is an error at once", { skip: process.platform === "linux" ? false : "needs /proc" }, () => {
  assert.throws(() => makeDirs("/proc/none/of/ours", 0o700), /ENOENT/);
});
