/** Names the findings that a text shows. */

import { FINDINGS } from "./catalogue.ts";
import type { Finding } from "./finding.ts";

export type Args = Readonly<Record<string, string>>;
export type Match = { readonly finding: Finding; readonly args: Args; readonly line: string };
export type Found = Match & { readonly lineNumber: number; readonly count: number };

/** Characters of a line that are looked at: what a finding shows itself by is near the beginning, and a hostile line costs no time. */
export const LINE_MAX = 2000;

/** The first finding of the catalogue that fits the line. */
export function matchLine(text: string): Match | null {
  const line = text.length > LINE_MAX ? text.slice(0, LINE_MAX) : text;
  for (const finding of FINDINGS) {
    for (const pattern of finding.patterns) {
      const match = pattern.exec(line);
      if (match === null) continue;
      const args = Object.fromEntries(Object.entries(match.groups ?? {}).filter((pair): pair is [string, string] => typeof pair[1] === "string"));
      return { finding, args, line };
    }
  }
  return null;
}

/** Each finding of the text once, in the order of the text, with the first line that shows it. */
export function findIn(text: string): readonly Found[] {
  const found = new Map<string, Found>();
  const known = new Map<string, Match | null>(); // logs repeat themselves
  text.split(/\r?\n|\r/).forEach((line, index) => {
    const match = known.has(line) ? (known.get(line) ?? null) : matchLine(line);
    known.set(line, match);
    if (match === null) return;
    const before = found.get(match.finding.code);
    found.set(match.finding.code, before === undefined ? { ...match, lineNumber: index + 1, count: 1 } : { ...before, count: before.count + 1 });
  });
  return [...found.values()];
}

/** Without those that only follow from another one that is there: symptoms hide behind their cause. */
export function withoutConsequences<T extends Pick<Match, "finding">>(found: readonly T[]): readonly T[] {
  const codes = new Set(found.map(({ finding }) => finding.code));
  const hasCause = found.some(({ finding }) => finding.role === "root" || finding.role === "setup");
  return found.filter(({ finding }) => {
    if (finding.dependsOn.some((code) => codes.has(code))) return false;
    return !hasCause || finding.role === "root" || finding.role === "setup";
  });
}
