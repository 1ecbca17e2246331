/** The line above the rows: what is shown, and where one is in it. */

import { columnsOf, fitLine, type Line, type Span, span } from "../line.ts";

/** Right of it what matters more: the left is cut first. */
export function headLine(left: string, right: Span, columns: number): Line {
  const room = columns - columnsOf([right]) - 1;
  return fitLine([...fitLine([span(` ${left}`, "title")], Math.max(0, room - 1)), span(" "), right, span(" ")], columns);
}

export const count = (n: number): string => n.toLocaleString("en");
