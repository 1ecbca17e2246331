/** One log line of a rank as people read it: `14:02:11 gpu-a r0 | text`. */

import { sanitise, sanitiseWord, withoutColour } from "../sanitise.ts";
import type { LogLine } from "../viewer.ts";
import { formatGap } from "./gap.ts";
import { displayLine } from "./lines.ts";

const RESET = "\u001b[0m";

/** `clock` gives the local time of a moment; colours of the line end with the line. `isWhole`: what carriage returns overwrite is shown too, a piece each. */
export function formatLogLine(line: LogLine, clock: (at: number) => string, hasColour: boolean, isWhole = false): string {
  const who = line.rank === null ? "launcher" : `r${line.rank}`;
  const stream = line.stream === "out" || line.stream === "launcher" ? "" : ` ${line.stream}`;
  const text = line.gap === undefined ? (isWhole ? sanitise(line.text.replace(/\r+$/, "")) : displayLine(line.text)) : formatGap(line.gap);
  const shown = hasColour ? (text.includes("\u001b") ? text + RESET : text) : withoutColour(text);
  return `${clock(line.at)} ${sanitiseWord(line.host)} ${who}${stream} | ${shown}`;
}
