/** Rows as text for a pager or a clipboard. */

import { sanitise, sanitiseWord, withoutColour } from "../../cluster/sanitise.ts";
import { formatGap } from "../../cluster/view/gap.ts";
import type { LogLine } from "../../cluster/viewer.ts";
import type { Row } from "./fold.ts";
import type { Reel } from "./reel.ts";
import { formatTime, type TimeFormat } from "./times.ts";
import { hostsOf, ranksOf } from "./who.ts";

/** Whole, with what carriage returns overwrite in pieces. */
export const plainText = (line: LogLine): string =>
  line.gap === undefined ? withoutColour(sanitise(line.text.replace(/\r+$/, ""))).replaceAll("\n", " ") : formatGap(line.gap);

export function rowText(row: Row, time: TimeFormat, start: number): string {
  const when = time === "none" ? "" : `${formatTime(row.line.at, time, start)} `;
  return `${when}${hostsOf(row).map(sanitiseWord).join(",")} ${ranksOf(row)} | ${plainText(row.line)}`;
}

export function allText(reel: Reel, time: TimeFormat, start: number): string {
  const parts: string[] = [];
  for (let block = reel.first(); block < reel.end(); block += 1) for (const row of reel.rows(block)) parts.push(`${rowText(row, time, start)}\n`);
  return parts.join("");
}
