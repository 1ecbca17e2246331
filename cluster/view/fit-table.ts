/** A table as wide as a terminal: what matters least is dropped first, in the order that its maker declares, and nothing else is cut. */

import { formatTable, widthOf } from "./table.ts";

/** `drop`: columns by their names in the head, the least important first; what is not named stays. `least`: cells that the last column, a sentence, is content with. */
export function fitTable(rows: readonly (readonly string[])[], columns: number, drop: readonly string[], least = Number.POSITIVE_INFINITY): readonly string[] {
  const [head = []] = rows;
  for (let n = 0; ; n++) {
    const gone = drop.slice(0, n);
    const kept = head.flatMap((name, k) => (gone.includes(name) ? [] : [k]));
    const lines = formatTable(rows.map((row) => kept.map((k) => row[k] ?? "")));
    if (n === drop.length || lines.every((line, at) => widthOf(line) - Math.max(0, widthOf(rows[at]?.at(-1) ?? "") - least) <= columns)) return lines;
  }
}
