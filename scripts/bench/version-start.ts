/** `nexadist version` against `node -e 0`, alternating; the goal is a ratio of at most 2. Run: node scripts/bench/version-start.ts */

import { execFileSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const PAIRS = 15;
const nexadist = join(dirname(fileURLToPath(import.meta.url)), "..", "nexadist");

function timeMs(command: string, args: readonly string[]): number {
  const begun = performance.now();
  execFileSync(command, args, { stdio: "ignore" });
  return performance.now() - begun;
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

execFileSync(nexadist, ["version"], { stdio: "ignore" }); // a stale build is built here, not in a figure
const pairs = Array.from({ length: PAIRS }, () => ({ ours: timeMs(nexadist, ["version"]), bare: timeMs(process.execPath, ["-e", "0"]) }));
const ours = median(pairs.map((pair) => pair.ours));
const bare = median(pairs.map((pair) => pair.bare));
console.log(`nexadist version ${ours.toFixed(1)} ms, node -e 0 ${bare.toFixed(1)} ms: ratio ${(ours / bare).toFixed(2)} (medians of ${PAIRS} pairs)`);
