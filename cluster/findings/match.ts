/** Names the findings that a text shows. */

import { FINDINGS } from "./catalogue.ts";
import type { Finding } from "./finding.ts";

export type Args = Readonly<Record<string, string>>;
export type Match = { readonly finding: Finding; readonly args: Args; readonly line: string };
export type Found = Match & { readonly lineNumber: number; readonly count: number };

/** Characters of a line that are looked at: what a finding shows itself by is near the beginning, and a hostile line costs no time. */
export const LINE_MAX = 2000;
/** Lines whose answer is remembered: logs repeat themselves. */
const KNOWN_MAX = 2000;

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

export type Finder = {
  readonly push: (line: string) => void;
  /** Each finding once, in the order of the text, with the first line that shows it. */
  readonly found: () => readonly Found[];
};

/** For a text that comes line by line. */
export function makeFinder(): Finder {
  const found = new Map<string, Found>();
  const known = new Map<string, Match | null>();
  let lineNumber = 0;
  return {
    push: (line) => {
      lineNumber += 1;
      let match = known.get(line);
      if (match === undefined) {
        match = matchLine(line);
        if (known.size >= KNOWN_MAX) known.clear();
        known.set(line, match);
      }
      if (match === null) return;
      const { code } = match.finding;
      const before = found.get(code);
      found.set(code, before === undefined ? { ...match, lineNumber, count: 1 } : { ...before, count: before.count + 1 });
    },
    found: () => [...found.values()],
  };
}

export function findIn(text: string): readonly Found[] {
  const finder = makeFinder();
  for (const line of text.split(/\r?\n|\r/)) finder.push(line);
  return finder.found();
}

/** Without those that only follow from another one that is there: symptoms hide behind their cause. */
export function withoutConsequences<T extends Pick<Match, "finding">>(found: readonly T[]): readonly T[] {
  const codes = new Set(found.map(({ finding }) => finding.code));
  const own = found.filter(({ finding }) => !finding.dependsOn.some((code) => codes.has(code)));
  const isCause = ({ finding }: T): boolean => finding.role === "root" || finding.role === "setup";
  return own.some(isCause) ? own.filter(isCause) : own;
}
