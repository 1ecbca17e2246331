/** `python -m nexa_dist.launch`, the older name: a thin exec of `nexadist up`. */

import assert from "node:assert/strict";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { findTool, makeSandbox, runProgram } from "./sandbox.ts";

const ARGUMENTS = 'for word; do printf "<%s>" "$word"; done; echo; exit 9';
const launch = ["-m", "nexa_dist.launch"];

test("--config FILE becomes the file of `up`; what follows -- is left as it is; the exit status comes back", async (t) => {
  const { fake, dir, copy } = makeSandbox(t);
  copy("python/nexa_dist");
  fake("nexadist", ARGUMENTS);
  const env = { PATH: `${join(dir, "bin")}:${process.env.PATH}`, HOME: dir, PYTHONPATH: join(dir, "python"), PYTHONDONTWRITEBYTECODE: "1" };
  const cases: [string[], string][] = [
    [["--config", "a b.yaml", "--dry-run"], "<up><a b.yaml><--dry-run>"],
    [["--config=x.yaml", "--", "train.py", "--config", "mine"], "<up><x.yaml><--><train.py><--config><mine>"],
    [[], "<up>"],
  ];
  for (const [args, expected] of cases) {
    const ran = await runProgram("python3", [...launch, ...args], env);
    assert.deepEqual(ran, { code: 9, stdout: `${expected}\n`, stderr: "" });
  }
  const without = await runProgram("python3", [...launch, "--config"], env);
  assert.deepEqual(without, { code: 1, stdout: "", stderr: "nexa_dist.launch: --config needs a file\n" });
});

test("without a nexadist on PATH it takes the one beside it, else says how to get one", async (t) => {
  const { dir, copy, write, run } = makeSandbox(t);
  copy("python/nexa_dist");
  // The interpreter itself: python3 on a PATH may be a script that looks for others.
  const { stdout: python } = await runProgram(findTool("python3"), ["-c", "import sys; print(sys.executable)"], { PATH: process.env.PATH ?? "" });
  symlinkSync(python.trim(), join(dir, "bin/python3"));
  const env = { PYTHONPATH: join(dir, "python"), PYTHONDONTWRITEBYTECODE: "1" };
  const none = await run(["python3", ...launch, "--config", "x"], env);
  assert.equal(none.code, 1);
  assert.match(none.stderr, /^nexa_dist.launch: nexadist is not on PATH; install it with: .*\n$/);
  write("scripts/nexadist", `#!/bin/sh\n${ARGUMENTS}\n`);
  assert.equal((await run(["python3", ...launch, "--config", "x"], env)).stdout, "<up><x>\n");
});
