/** docs/checks.md from the catalogue of `diag`: what is looked at, what mends it, and what each check is proven on. */

import { CHECKS, GROUPS } from "../../cluster/diag/catalogue.ts";
import type { Check, Group } from "../../cluster/diag/check.ts";
import { fixOf, PROOF, WHO } from "../../cluster/diag/words.ts";
import { anchor, cell, table } from "./markdown.ts";

const NAME: Readonly<Record<Group, string>> = {
  access: "Access",
  system: "System",
  versions: "Versions and code",
  gpu: "GPUs",
  network: "Network",
  disk: "Disks",
  time: "Clocks",
  distributed: "Distributed",
};

const PROOF_WORD: Readonly<Record<Check["proof"], string>> = { broken: "broken", sample: "sample", unproven: "unproven" };

function section(group: Group): string {
  const rows = CHECKS.filter((check) => check.group === group).map((check) => [
    `${anchor(check.id)}\`${check.id}\``,
    `${cell(check.title)}: ${cell(check.why)}`,
    check.tier,
    check.isBlocking ? "yes" : "",
    fixOf(check).split("\n").map(cell).join("<br>"),
    check.who,
    PROOF_WORD[check.proof],
  ]);
  return `## ${NAME[group]}\n\n${table(["check", "what, and why", "tier", "blocks", "what to do", "by", "proof"], rows)}\n`;
}

const count = (proof: Check["proof"]): number => CHECKS.filter((check) => check.proof === proof).length;

export const renderChecks = (): string => `<!-- Made by scripts/gen-docs.ts from cluster/diag: change that and run it. -->

# Checks

What \`nexadist diag\` looks at: ${CHECKS.length} checks. \`nexadist explain CHECK\` prints one. Status is pass, warn, fail, skip (not looked at, with the reason)
or error (looking failed); only pass is green. A failure of a check that blocks keeps a launch back. Tiers: quick (before each launch, 20 s at most), full (loads links and GPUs),
deep (minutes).

Proof, ${count("broken")} + ${count("sample")} + ${count("unproven")}:

${(Object.keys(PROOF) as Check["proof"][]).map((proof) => `- ${PROOF_WORD[proof]}: ${PROOF[proof]}`).join("\n")}

By: ${Object.entries(WHO)
  .map(([word, meaning]) => `\`${word}\` is ${meaning}`)
  .join(", ")}.

${GROUPS.filter((group) => CHECKS.some((check) => check.group === group))
  .map(section)
  .join("\n")}`;
