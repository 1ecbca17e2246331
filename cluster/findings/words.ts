/** A finding in words. */

import type { Finding } from "./finding.ts";
import type { Args } from "./match.ts";

/** `{name}` filled from what the line said; open as <name> where it did not. */
const fillArgs = (sentence: string, args: Args): string =>
  sentence.replace(/\{(\w+)\}/g, (_, name: string) => (Object.hasOwn(args, name) ? (args[name] ?? "") : `<${name}>`));

export const remedyOf = (finding: Finding, args: Args = {}): string => fillArgs(finding.remedy, args);
export const causeOf = (finding: Finding, args: Args = {}): string => fillArgs(finding.cause, args);

export const ROLE: Readonly<Record<Finding["role"], string>> = {
  root: "names the fault itself",
  setup: "a matter of configuration",
  symptom: "a consequence: look for its cause elsewhere",
  watch: "seen while the run goes on; it need not end it",
  harmless: "harmless",
};

export function explainFinding(finding: Finding, args: Args = {}): readonly string[] {
  return [
    `${finding.code}: ${finding.title}`,
    `  why         ${causeOf(finding, args)}`,
    `  what to do  ${remedyOf(finding, args)}`,
    `  weight      ${finding.severity}, ${ROLE[finding.role]}`,
    ...(finding.isFinal ? ["  again?      no: another attempt would end the same way, so the run is stopped"] : []),
    ...(finding.dependsOn.length > 0 ? [`  may follow  ${finding.dependsOn.join(", ")}`] : []),
  ];
}

/** What others may read: without patterns. */
export function findingJson(finding: Finding, args: Args = {}): object {
  const { code, family, title, role, severity, dependsOn, isFinal } = finding;
  return { code, family, title, role, severity, cause: causeOf(finding, args), remedy: remedyOf(finding, args), dependsOn, isFinal };
}
