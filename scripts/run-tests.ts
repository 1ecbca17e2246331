/** `scripts/test [WORD...]`: checks, then the tests in tiers, then one summary that names everything that was skipped. */

import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { allChecks, buildCheck, runCheck } from "./testing/checks.ts";
import { type Counts, noCounts, runTier, type Skip } from "./testing/run-tier.ts";
import { filesOf, missingFor, tiers } from "./testing/tiers.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);
const words = process.argv.slice(2);
/** On a CI machine everything must have run; only the absence of a GPU is no failure of the machine's set-up. */
const isCi = (process.env.CI ?? "") !== "";
const mayBeSkipped = (skip: Skip): boolean => skip.reason.startsWith("no GPU");

const begunMs = performance.now();
const total: Counts = noCounts();
const failures: string[] = [];
const skips: Skip[] = [];
const skippedTiers: string[] = [];
let fileCount = 0;
let isGood = true;

for (const check of words.length > 0 ? [buildCheck] : allChecks(root)) {
  if (await runCheck(check, root)) continue;
  isGood = false;
  failures.push(`✖ ${check.name}`);
}

for (const tier of tiers) {
  const files = filesOf(tier, root, words);
  if (files.length === 0) continue;
  const missing = missingFor(tier);
  if (missing.length > 0) {
    skippedTiers.push(`${tier.name} (${files.length} files): needs ${missing.join(", ")}`);
    continue;
  }
  console.log(`\n== ${tier.name}`);
  fileCount += files.length;
  const result = await runTier(tier, files, root);
  for (const key of Object.keys(total) as (keyof Counts)[]) total[key] += result.counts[key];
  failures.push(...result.failures);
  skips.push(...result.skips);
  isGood &&= result.success;
}

if (words.length > 0 && fileCount + skippedTiers.length === 0) {
  console.log(`no test file has ${words.join(" or ")} in its path`);
  isGood = false;
}

console.log("\n== summary");
for (const tier of skippedTiers) console.log(`skipped tier ${tier}`);
for (const skip of skips) console.log(`skipped ${skip.file}  ${skip.name}: ${skip.reason}`);
for (const failure of failures) console.log(failure);
const isIncomplete = skippedTiers.length > 0 || skips.some((skip) => !mayBeSkipped(skip));
if (isCi && isIncomplete) console.log("CI is set: what was skipped counts as failed");
// The closing lines of node's own reporter, over all tiers.
console.log(`ℹ tests ${total.tests}\nℹ suites ${total.suites}\nℹ pass ${total.passed}\nℹ fail ${total.failed}\nℹ cancelled ${total.cancelled}`);
console.log(`ℹ skipped ${total.skipped}\nℹ todo ${total.todo}\nℹ duration_ms ${(performance.now() - begunMs).toFixed(0)}`);
process.exitCode = isGood && !(isCi && isIncomplete) ? 0 : 1;
