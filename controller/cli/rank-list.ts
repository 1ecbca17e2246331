/** Ranks as people list them: `0,3-5`, or `all`. */

const MOST = 65_536;

/** null: all. undefined: not such a list. */
export function parseRanks(text: string): readonly number[] | null | undefined {
  if (text === "all") return null;
  const ranks = new Set<number>();
  for (const part of text.split(",")) {
    const [, from, to] = /^\s*(\d{1,6})(?:-(\d{1,6}))?\s*$/.exec(part) ?? [];
    if (from === undefined) return undefined;
    const last = Number(to ?? from);
    if (last < Number(from) || last >= MOST) return undefined;
    for (let rank = Number(from); rank <= last; rank++) ranks.add(rank);
  }
  return [...ranks].sort((a, b) => a - b);
}
