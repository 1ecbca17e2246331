/** `nexadist version` against `node -e 0`, alternating; the goal is a ratio of at most 2. Run: node scripts/bench/version-start.ts */

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { median, report, spread } from "./support/figure.ts";
import { REPO } from "./support/stage.ts";

const PAIRS = 15;
const nexadist = join(REPO, "scripts/nexadist");

function timeMs(command: string, args: readonly string[]): number {
  const begun = performance.now();
  execFileSync(command, args, { stdio: "ignore" });
  return performance.now() - begun;
}

execFileSync(nexadist, ["version"], { stdio: "ignore" }); // a stale build is built here, not in a figure
const pairs = Array.from({ length: PAIRS }, () => ({ ours: timeMs(nexadist, ["version"]), bare: timeMs(process.execPath, ["-e", "0"]) }));
const ratios = pairs.map((pair) => pair.ours / pair.bare);
report({
  figure: "`nexadist version` against `node -e 0`",
  goal: "<= 2",
  measured: `${spread(ratios)}; ${median(pairs.map((p) => p.ours)).toFixed(0)} ms against ${median(pairs.map((p) => p.bare)).toFixed(0)} ms, ${PAIRS} pairs`,
  isMet: median(ratios) <= 2,
  command: "node scripts/bench/version-start.ts",
});
