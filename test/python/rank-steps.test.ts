/** nexa_dist.step as a rank has it: one line that is read back, few of them, and nothing at all outside of a run or when something is wrong. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { readLine } from "../../cluster/steps/read-line.ts";
import { PROLOGUE } from "../support/shims.ts";

/** What a rank behind the prologue writes to stderr. */
function rank(t: TestContext, program: string, env: Readonly<Record<string, string>> = {}): string {
  const dir = mkdtempSync(join(tmpdir(), "rank-steps-"));
  t.after(() => rmSync(dir, { recursive: true }));
  execFileSync("python3", ["-I", "-S", PROLOGUE, "--", "python3", "-c", program], {
    cwd: dir,
    env: { PATH: process.env.PATH, NEXADIST_DIR: dir, NEXADIST_ATTEMPT: "1", RANK: "0", PYTHONDONTWRITEBYTECODE: "1", ...env },
    stdio: ["ignore", "ignore", "inherit"],
    timeout: 60_000,
  });
  return readFileSync(join(dir, "rank0.err"), "utf8");
}

const lines = (text: string): string[] => text.split("\n").filter((line) => line !== "");

test("a step is one line, and the controller reads it as it was meant", (t) => {
  const [line = "", ...more] = lines(rank(t, "import nexa_dist\nnexa_dist.step(3, total=9, loss=2.5, tokens=100, busy=0.25)"));
  const { kind, said } = readLine(line);
  assert.deepEqual(more, []);
  assert.deepEqual([kind, said?.source, said?.step, said?.total, said?.loss, said?.busyMs], ["step", "call", 3, 9, 2.5, 250]);
});

test("many steps are few lines, the last of all among them; tokens count over the time between", (t) => {
  const all = lines(rank(t, "import nexa_dist, time\nfor n in range(1, 1001):\n  nexa_dist.step(n, total=1000, tokens=10)\n  n == 999 and time.sleep(0.2)"));
  assert.equal(all.length, 2);
  const last = readLine(all[1] ?? "").said;
  assert.equal(last?.step, 1000);
  assert.ok(last?.rate?.of === "tokens" && last.rate.value > 0 && last.rate.value < 9990 / 0.2);
});

test("nothing is raised and nothing said: a loss that is none, a closed stderr, no run", (t) => {
  const program = "import nexa_dist, os, sys\nnexa_dist.step(1, loss='x')\nnexa_dist.step('y')\nsys.stderr.close()\nnexa_dist.step(2)\nos.write(2, b'alive')";
  assert.equal(rank(t, program), "alive");
  assert.equal(rank(t, "import nexa_dist, os\nnexa_dist.step(1)\nos.write(2, b'alive')", { NEXADIST_ATTEMPT: "" }), "alive");
});

test("the user's own PYTHONPATH comes first, and keeps what it had", (t) => {
  const said = rank(t, "import os, sys\nsys.stderr.write(os.environ['PYTHONPATH'])", { PYTHONPATH: "/own:/other", NEXADIST_STACKS: "0" });
  assert.match(said, /^\/own:\/other:\/\S+\/module$/);
});
