/** A row in full, for reading: whose it is, when it came, its text to the last letter, and what is known of it. */

import { matchLine } from "../../cluster/findings/match.ts";
import { explainFinding } from "../../cluster/findings/words.ts";
import { sanitise, sanitiseWord, withoutColour } from "../../cluster/sanitise.ts";
import { type Line, line as lineOf } from "../line.ts";
import type { Row } from "./fold.ts";
import { shownText } from "./text.ts";
import { formatTime } from "./times.ts";
import { hostsOf, ranksOf } from "./who.ts";
import { wrapText } from "./wrap.ts";

/** Of a line at most, in lines of the overlay. */
const LINES = 2000;

export function wholeRow(row: Row, start: number, columns: number): readonly Line[] {
  const { line, level } = row;
  const at = new Date(line.at);
  const words = [
    ["who", `${ranksOf(row)} on ${hostsOf(row).map(sanitiseWord).join(", ")}`],
    [
      "when",
      `${at.toISOString().slice(0, 10)} ${formatTime(line.at, "local", start)} (${formatTime(line.at, "UTC", start)}, ${formatTime(line.at, "since start", start).trim()})`,
    ],
    ["what", `stream ${line.stream}, attempt ${line.attempt}, ${level}`],
  ];
  const known = line.gap === undefined ? matchLine(withoutColour(sanitise(line.text.slice(0, LINES)))) : null;
  const wrap = (text: string): readonly string[] => wrapText(text, Math.max(20, columns), LINES, "…");
  return [
    ...words.map(([name, text]) => lineOf(`${name?.padEnd(6)}${text}`, "dim")),
    lineOf(""),
    ...wrap(shownText(line)).map((text) => lineOf(text)),
    ...(known === null
      ? []
      : [lineOf(""), ...explainFinding(known.finding, known.args).flatMap((text) => wrap(text).map((each, k) => lineOf(each, k === 0 ? "accent" : "plain")))]),
  ];
}
