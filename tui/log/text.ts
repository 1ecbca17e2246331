/** What is shown of a line: progress bars at their last state, nothing that a terminal would act on, and every letter as wide everywhere. */

import { withoutColour } from "../../cluster/sanitise.ts";
import { formatGap } from "../../cluster/view/gap.ts";
import { displayLine } from "../../cluster/view/lines.ts";
import type { LogLine } from "../../cluster/viewer.ts";

/** Joiners, selectors and skin tones make one picture of several letters on some terminals, and not on others. */
const JOINS = /\u200c|\u200d|\u00ad|[\ufe00-\ufe0f]|[\u{1f3fb}-\u{1f3ff}]/gu;
/** Above this a line is shown in part: nobody reads so far to the right. The pager has it whole. In UTF-16 units. */
const SHOWN = 16_384;

export function shownText(line: LogLine): string {
  if (line.gap !== undefined) return formatGap(line.gap);
  const text = line.text.length > SHOWN && !line.text.includes("\r") ? line.text.slice(0, SHOWN) : line.text;
  return withoutColour(displayLine(text)).replaceAll("\t", "    ").replace(JOINS, "").slice(0, SHOWN);
}
