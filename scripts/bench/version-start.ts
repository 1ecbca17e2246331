/** `nexadist version`, installed, against `node -e 0`, alternating; the goal is a ratio of at most 2. Run: node scripts/bench/version-start.ts */

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { median, report, spread } from "./support/figure.ts";
import { copyBuild } from "./support/stage.ts";

const PAIRS = 25;
const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH ?? ""}` };

function timeMs(command: string, args: readonly string[]): number {
  const begun = performance.now();
  execFileSync(command, args, { stdio: "ignore", env });
  return performance.now() - begun;
}

const dir = mkdtempSync(join(tmpdir(), "nexadist-bench-"));
try {
  const nexadist = await copyBuild(dir);
  const pairs = Array.from({ length: PAIRS }, () => ({ ours: timeMs(nexadist, ["version"]), bare: timeMs(process.execPath, ["-e", "0"]) }));
  const ratio = median(pairs.map((p) => p.ours)) / median(pairs.map((p) => p.bare));
  report({
    figure: "`nexadist version` against `node -e 0`",
    goal: "<= 2",
    measured: `${ratio.toFixed(2)}; ${spread(
      pairs.map((p) => p.ours),
      0,
    )} ms against ${spread(
      pairs.map((p) => p.bare),
      0,
    )} ms, ${PAIRS} pairs`,
    isMet: ratio <= 2,
    command: "node scripts/bench/version-start.ts",
  });
} finally {
  rmSync(dir, { recursive: true, force: true });
}
