/** A check in words, apart from any result. */

import type { Check, Proof, Who } from "./check.ts";
import { openCure } from "./cure.ts";

export const WHO: Readonly<Record<Who, string>> = { you: "you", root: "root on the host", admin: "who administers the host or the network" };

export const PROOF: Readonly<Record<Proof, string>> = {
  broken: "broken for real by a test",
  sample: "judged from output of the real tool",
  unproven: "unproven: tested on made-up output only",
};

export const fixOf = (check: Check): string => openCure(check.fix);

export function explainCheck(check: Check): readonly string[] {
  return [
    `${check.id}: ${check.title}`,
    `  why         ${check.why}`,
    `  what to do  ${fixOf(check).replaceAll("\n", `\n${" ".repeat(14)}`)}`,
    `  by          ${WHO[check.who]}`,
    `  verify      ${openCure(check.verify)}`,
    `  looked at   by nexadist diag${check.tier === "quick" ? "" : ` --${check.tier}`}, ${SCOPE[check.scope]}; ${check.isBlocking ? "a failure keeps a launch back" : "keeps no launch back"}`,
    ...(check.needs.length > 0 ? [`  needs       ${check.needs.join(", ")}`] : []),
    `  proof       ${PROOF[check.proof]}`,
  ];
}

export const SCOPE: Readonly<Record<Check["scope"], string>> = { host: "on each host", cluster: "hosts compared", pair: "between hosts" };

/** What others may read: without the judge. */
export function checkJson({ id, group, tier, scope, title, why, fix, who, verify, needs, isBlocking, proof }: Check): object {
  return { id, group, tier, scope, title, why, fix: openCure(fix), who, verify: openCure(verify), needs, isBlocking, proof };
}
