/** The last lines that the ranks wrote: when, where, who, and what. */

import { sanitiseWord } from "../../cluster/sanitise.ts";
import { padTo } from "../../cluster/view/table.ts";
import type { LogLine } from "../../cluster/viewer.ts";
import { timeOfDay } from "../format.ts";
import { type Line, span, type Tone } from "../line.ts";
import { type Level, levelOf } from "../log/level.ts";
import { shownText } from "../log/text.ts";
import type { RunModel } from "../model.ts";

const TONES: Readonly<Record<Level, Tone>> = { debug: "dim", info: "plain", warning: "warn", error: "bad" };
const MARKS: Readonly<Record<Level, string>> = { debug: " ", info: " ", warning: "W", error: "E" };

export function tailLines({ log, state }: RunModel, rows: number): readonly Line[] {
  const lines = log
    .tail(3 * rows)
    .filter((each) => shownText(each).trim() !== "")
    .slice(-rows);
  const names = state.spec.hosts.map(({ name }) => name);
  const cut = sharedStart(names);
  const host = (line: LogLine): string => sanitiseWord(line.host.slice(cut));
  const width = Math.min(12, Math.max(0, ...names.map((name) => name.length - cut)));
  return lines.map((line) => {
    const text = shownText(line);
    const level = line.gap !== undefined ? "warning" : levelOf(text);
    const who = line.rank === null ? "-" : `r${line.rank}`;
    return [
      span(` ${timeOfDay(line.at)} `, "dim"),
      span(padTo(host(line).slice(0, width), width)),
      span(` ${who.padEnd(4)}`, "accent"),
      span(`${MARKS[level]} `, TONES[level]),
      span(text, TONES[level]),
    ];
  });
}

/** What all names begin with says nothing: gpu-a and gpu-b are a and b here. Only whole words of it. */
export function sharedStart(names: readonly string[]): number {
  const [first = ""] = names;
  if (names.length < 2) return 0;
  let shared = 0;
  while (shared < first.length && names.every((name) => name[shared] === first[shared])) shared += 1;
  while (shared > 0 && !/[-_.]/.test(first[shared - 1] ?? "")) shared -= 1;
  return names.some((name) => name.length === shared) ? 0 : shared;
}
