/** Lines that are drawn anew every second on a terminal, and printed one block after the other elsewhere. Ends when `draw` says so. */

import { setTimeout as delay } from "node:timers/promises";
import { fitTo } from "../../cluster/view/table.ts";
import { tint } from "../../cluster/view/tint.ts";
import type { Context } from "./context.ts";

const EVERY_MS = 1000;
const HOME = "\u001b[H";
const CLEAR_LINE = "\u001b[K";
const CLEAR_REST = "\u001b[J";

export type Drawn = { readonly lines: readonly string[]; readonly isLast: boolean };

/** Of a terminal; a file or a pipe takes all. */
export const columnsOf = ({ isTTY, columns }: NodeJS.WriteStream = process.stdout): number => (isTTY === true ? columns : Number.POSITIVE_INFINITY);

/** `wraps`: told once, long lines go on in the next row; else they are cut. */
export async function watchTable(context: Context, draw: () => Promise<Drawn>, { wraps = false }: { readonly wraps?: boolean } = {}): Promise<void> {
  const { isTTY, columns = 80, rows = 24 } = process.stdout;
  const dress = context.hasColour ? tint : (line: string): string => line;
  const isScreen = isTTY === true && !context.json;
  for (let isFirst = true; ; isFirst = false) {
    const { lines, isLast } = await draw();
    if (isScreen && isFirst && isLast) {
      for (const line of lines) context.print(dress(wraps ? line : fitTo(line, columns)));
    } else if (isScreen) {
      const fitting = lines.length < rows ? lines : [...lines.slice(0, rows - 2), `${lines.length - rows + 2} more lines: this terminal is too low for them`];
      process.stdout.write(`${HOME}${fitting.map((line) => `${dress(fitTo(line, columns))}${CLEAR_LINE}\n`).join("")}${CLEAR_REST}`);
    } else {
      if (!isFirst && lines.length > 0) context.print("");
      for (const line of lines) context.print(dress(line));
    }
    if (isLast) return;
    await delay(EVERY_MS);
  }
}
