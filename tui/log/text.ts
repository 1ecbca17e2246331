/** What is shown of a line: progress bars at their last state, nothing that a terminal would act on, and every letter as wide everywhere. */

import { sanitise, withoutColour, withoutPiles } from "../../cluster/sanitise.ts";
import { formatGap } from "../../cluster/view/gap.ts";
import { afterLastReturn } from "../../cluster/view/lines.ts";
import type { LogLine } from "../../cluster/viewer.ts";

/** Joiners, selectors and skin tones make one picture of several letters on some terminals, and not on others. */
const JOINS = /\u200c|\u200d|[\ufe00-\ufe0f]|[\u{1f3fb}-\u{1f3ff}]/gu;
/** Above this a line is shown in part: nobody reads so far to the right. The pager has it whole. In UTF-16 units. */
const SHOWN = 16_384;

/** `limit`: so much of it is looked at. */
export function shownText(line: LogLine, limit = SHOWN): string {
  if (line.gap !== undefined) return formatGap(line.gap);
  const text = afterLastReturn(line.text).slice(0, limit);
  return withoutPiles(withoutColour(sanitise(text)).replaceAll("\t", "    ").replace(JOINS, ""));
}
