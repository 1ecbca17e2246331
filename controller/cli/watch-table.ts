/** Lines that are drawn anew every second on a terminal, and printed one block after the other elsewhere. Ends when `draw` says so. */

import { setTimeout as delay } from "node:timers/promises";
import { fitTo } from "../../cluster/view/table.ts";
import type { Context } from "./context.ts";

const EVERY_MS = 1000;
const HOME = "\u001b[H";
const CLEAR_LINE = "\u001b[K";
const CLEAR_REST = "\u001b[J";

export type Drawn = { readonly lines: readonly string[]; readonly isLast: boolean };

/** Of a terminal; a file or a pipe takes all. */
export const columnsOf = ({ isTTY, columns }: NodeJS.WriteStream = process.stdout): number => (isTTY === true ? columns : Number.POSITIVE_INFINITY);

export async function watchTable(context: Context, draw: () => Promise<Drawn>): Promise<void> {
  const { isTTY, columns = 80, rows = 24 } = process.stdout;
  const isScreen = isTTY === true && !context.json;
  if (isScreen) process.stdout.write(`${HOME}${CLEAR_REST}`);
  for (let isFirst = true; ; isFirst = false) {
    const { lines, isLast } = await draw();
    if (isScreen) {
      const fitting = lines.length < rows ? lines : [...lines.slice(0, rows - 2), `${lines.length - rows + 2} more lines: this terminal is too low for them`];
      process.stdout.write(`${HOME}${fitting.map((line) => `${fitTo(line, columns)}${CLEAR_LINE}\n`).join("")}${CLEAR_REST}`);
    } else {
      if (!isFirst && lines.length > 0) context.print("");
      for (const line of lines) context.print(line);
    }
    if (isLast) return;
    await delay(EVERY_MS);
  }
}
