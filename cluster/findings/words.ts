/** A finding in words, and the finding that a person means. */

import { nearest } from "../config/nearest.ts";
import { FINDINGS } from "./catalogue.ts";
import type { Finding } from "./finding.ts";
import type { Args } from "./match.ts";

/** `{name}` filled from what the line said; open as <name> where it did not. */
export const fillArgs = (sentence: string, args: Args): string =>
  sentence.replace(/\{(\w+)\}/g, (_, name: string) => (Object.hasOwn(args, name) ? (args[name] ?? "") : `<${name}>`));

export const remedyOf = (finding: Finding, args: Args = {}): string => fillArgs(finding.remedy, args);
export const causeOf = (finding: Finding, args: Args = {}): string => fillArgs(finding.cause, args);

const ROLE: Readonly<Record<Finding["role"], string>> = {
  root: "a cause",
  setup: "a matter of configuration",
  symptom: "a consequence: the cause is elsewhere",
  harmless: "harmless",
};

const AGAIN = { true: "Trying again does not help; nexadist stops the run.", false: "" } as const;

export function explainFinding(finding: Finding, args: Args = {}): readonly string[] {
  const lines = [
    `${finding.code}: ${finding.title}`,
    "",
    `What it is   ${finding.severity}, ${ROLE[finding.role]}`,
    `Why          ${causeOf(finding, args)}`,
    `What to do   ${remedyOf(finding, args)}`,
  ];
  if (finding.isFinal) lines.push(`Again?       ${AGAIN.true}`);
  if (finding.dependsOn.length > 0) lines.push(`Hides behind ${finding.dependsOn.join(", ")}`);
  return lines;
}

/** The code as it is written in the tables. */
export const normalCode = (word: string): string => word.trim().toUpperCase().replaceAll("-", "_");

export const nearestCode = (word: string, more: readonly string[]): string | null => nearest(normalCode(word), [...FINDINGS.map(({ code }) => code), ...more]);
