/** Pages of stored lines next to each other, as blocks; pages far from where one reads are dropped, for they can be asked for again. */

import type { LogPage, LogPlace } from "../../cluster/viewer.ts";
import type { Blocks } from "./reel.ts";

export type Way = "before" | "after";
export type PageBlocks = Blocks & {
  /** Where the next page of a way begins; undefined: nothing is there that way. */
  readonly edge: (way: Way) => LogPlace | null | undefined;
  /** The place after the last line of a page. */
  readonly endOf: (block: number) => LogPlace | null;
  /** Number of its block. */
  readonly add: (way: Way, page: LogPage) => number;
  /** None of its lines is wanted: its place is remembered, it is not. */
  readonly forget: (block: number) => void;
};

/** Held at most, but one page: some twenty megabytes. */
const LINES = 64_000;

type Page = Pick<LogPage, "lines" | "from" | "to">;

/** `begin`: where the first page is asked from; null: from the end, or from the beginning. */
export function createPageBlocks(way: Way, begin: LogPlace | null): PageBlocks {
  const pages: Page[] = [];
  let first = 0;
  const edges: Record<Way, LogPlace | null | undefined> = {
    before: way === "before" || begin !== null ? begin : undefined,
    after: way === "after" || begin !== null ? begin : undefined,
  };
  const isFull = (): boolean => pages.length > 1 && pages.reduce((sum, { lines }) => sum + lines.length, 0) > LINES;

  return {
    firstBlock: () => first,
    endBlock: () => first + pages.length,
    block: (number) => pages[number - first]?.lines ?? [],
    edge: (from) => edges[from],
    endOf: (block) => {
      const to = pages[block - first]?.to ?? null;
      return to === null ? null : { ...to, to: to.to + 1 };
    },
    add: (from, page) => {
      if (from === "after") {
        edges.after = page.isLast ? undefined : (page.to ?? undefined);
        pages.push(page);
        for (; isFull(); first += 1) {
          pages.shift();
          edges.before = pages[0]?.from;
        }
        return first + pages.length - 1;
      }
      edges.before = page.isFirst ? undefined : (page.from ?? undefined);
      pages.unshift(page);
      first -= 1;
      while (isFull()) {
        pages.pop();
        edges.after = pages.at(-1)?.to;
      }
      return first;
    },
    forget: (block) => {
      if (block === first) {
        pages.shift();
        first += 1;
      } else if (block === first + pages.length - 1) pages.pop();
    },
  };
}
