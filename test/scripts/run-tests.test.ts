/** scripts/run-tests.ts, the gate itself: what fails is told and fails it, what is skipped is named, and with CI set is a failure. */

import assert from "node:assert/strict";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { makeSandbox, type Ran, root, runProgram } from "./sandbox.ts";

type Suite = { readonly write: (path: string, text: string) => string; readonly run: (words: string[], env?: Record<string, string>) => Promise<Ran> };

function suite(t: TestContext): Suite {
  const { dir, write, copy } = makeSandbox(t);
  for (const path of ["scripts/run-tests.ts", "scripts/testing"]) copy(path);
  symlinkSync(join(root, "node_modules"), join(dir, "node_modules"));
  write("package.json", '{"type":"module"}');
  write("scripts/build.ts", "");
  // No NODE_TEST_CONTEXT: a runner inside a test would run nothing.
  const run = (words: string[], env: Record<string, string> = {}): Promise<Ran> =>
    runProgram(process.execPath, [join(dir, "scripts/run-tests.ts"), ...words], { PATH: process.env.PATH ?? "", HOME: dir, ...env }, dir);
  return { write, run };
}

const testFile = (body: string): string => `import assert from "node:assert/strict"; import { test } from "node:test";\n${body}\n`;
const PASSING = testFile('test("fine", () => undefined);');

test("all is well: a line per file and node's closing lines over all tiers", async (t) => {
  const { write, run } = suite(t);
  write("test/cluster/deep/er/a.test.ts", PASSING);
  write("test/agent/b.test.ts", PASSING);
  const { code, stdout } = await run(["test/"]);
  assert.equal(code, 0, stdout);
  assert.match(stdout, /^✔ test\/cluster\/deep\/er\/a\.test\.ts {2}1 tests/m);
  assert.match(stdout, /ℹ tests 2\nℹ suites 0\nℹ pass 2\nℹ fail 0\nℹ cancelled 0\nℹ skipped 0\nℹ todo 0\nℹ duration_ms \d+\n$/);
});

test("a failing test, a file that does not load and a failing check each fail it, with place and words", async (t) => {
  const { write, run } = suite(t);
  write("test/cluster/a.test.ts", testFile('test("bad", () => { console.log("its last words"); assert.equal(1, 2); });'));
  write("test/cluster/b.test.ts", 'throw new Error("does not load");');
  write("test/cluster/c.test.ts", PASSING);
  const { code, stdout } = await run(["test/"]);
  assert.equal(code, 1);
  assert.match(stdout, /✖ test\/cluster\/a\.test\.ts:2 {2}bad\n[\s\S]*1 !== 2/);
  assert.match(stdout, /its last words/);
  assert.match(stdout, /Error: does not load/);
  assert.match(stdout, /ℹ pass 1\nℹ fail 2\n/);
  write("scripts/build.ts", 'console.error("no build"); process.exit(3);');
  const broken = await run(["c.test"]);
  assert.equal(broken.code, 1);
  assert.match(broken.stdout, /✖ build[\s\S]*no build[\s\S]*== summary\n✖ build\nℹ tests 1\n/);
});

test("a skip is named with its reason, and fails only where CI is set; the absence of a GPU never does", async (t) => {
  const { write, run } = suite(t);
  write("test/cluster/gpu.test.ts", testFile('test("on a GPU", { skip: "no GPU here" }, () => undefined);'));
  write("test/cluster/root.test.ts", testFile('test("as root", (t) => t.skip("needs root"));'));
  const here = await run(["test/"]);
  assert.equal(here.code, 0);
  assert.match(here.stdout, /^skipped test\/cluster\/root\.test\.ts {2}as root: needs root$/m);
  assert.match(here.stdout, /ℹ skipped 2\n/);
  const ci = await run(["test/"], { CI: "true" });
  assert.equal(ci.code, 1);
  assert.match(ci.stdout, /^CI is set: what was skipped counts as failed$/m);
  assert.equal((await run(["gpu.test"], { CI: "true" })).code, 0);
});

test("a word chooses files; one that chooses none is an error", async (t) => {
  const { write, run } = suite(t);
  write("test/cluster/a.test.ts", PASSING);
  write("test/cluster/b.test.ts", testFile('test("not asked for", () => assert.fail());'));
  assert.equal((await run(["cluster/a"])).code, 0);
  const none = await run(["nothing-has-this-name"]);
  assert.equal(none.code, 1);
  assert.match(none.stdout, /^no test file has nothing-has-this-name in its path$/m);
});
