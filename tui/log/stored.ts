/** Reading in the stored lines of one attempt: page after page is asked for until there is a row that is wanted. */

import type { LogLine, LogPage, LogPlace, LogQuery } from "../../cluster/viewer.ts";
import type { Filter } from "./filter.ts";
import type { Row } from "./fold.ts";
import { createPageBlocks, type Way } from "./page-blocks.ts";
import { createReel, type Reel } from "./reel.ts";
import type { Ref } from "./walk.ts";

export type Look = {
  readonly way: Way;
  /** Lines a page, and pages at most. */
  readonly count: number;
  readonly pages: number;
  readonly wanted: (row: Row) => boolean;
  /** Called once: the nearest such row; null: there is none that near. */
  readonly done: (found: Ref | null) => void;
};

export type Stored = {
  readonly attempt: number;
  readonly reel: Reel;
  readonly hasMore: (way: Way) => boolean;
  /** The place after the last line of a block. */
  readonly endOf: (block: number) => LogPlace | null;
  /** One at a time: a look that goes on is given up for it, without a word. */
  readonly look: (look: Look) => void;
  readonly cancel: () => void;
  /** null: it looks nowhere. `at`: how far it has come. */
  readonly looking: () => { readonly way: Way; readonly at: number | null } | null;
  readonly problem: () => string | null;
};

/** Asks for a page and calls back later; returns how to want it no more. */
export type AskPage = (want: NonNullable<LogQuery["page"]>, sink: (answer: LogPage | { readonly problem: string }) => void) => () => void;

/** Reads from `begin` on, both ways; null: from the end back, or from the beginning on. */
export function createStored(attempt: number, ask: AskPage, matches: Filter["matches"], way: Way, begin: LogPlace | null): Stored {
  const blocks = createPageBlocks(way, begin);
  const reel = createReel(blocks, matches);
  let stop: (() => void) | null = null;
  let looking: { readonly way: Way; at: number | null } | null = null;
  let problem: string | null = null;

  const cancel = (): void => {
    stop?.();
    stop = looking = null;
  };
  const step = (look: Look, left: number): void => {
    const place = blocks.edge(look.way);
    if (place === undefined || left === 0) {
      looking = null;
      return look.done(null);
    }
    const want = look.way === "before" ? { count: look.count, before: place } : { count: look.count, after: place };
    stop = ask(want, (answer) => {
      stop = null;
      if ("problem" in answer) {
        problem = answer.problem;
        looking = null;
        return look.done(null);
      }
      if (looking !== null) looking.at = edgeTime(answer.lines, look.way) ?? looking.at;
      const block = blocks.add(look.way, answer);
      const rows = reel.rows(block);
      const index = look.way === "before" ? rows.findLastIndex(look.wanted) : rows.findIndex(look.wanted);
      if (rows.length === 0) blocks.forget(block);
      if (index < 0) return step(look, left - 1);
      looking = null;
      look.done({ block, index });
    });
  };

  return {
    attempt,
    reel,
    hasMore: (towards) => problem === null && blocks.edge(towards) !== undefined,
    endOf: blocks.endOf,
    look: (look) => {
      cancel();
      problem = null;
      looking = { way: look.way, at: null };
      step(look, look.pages);
    },
    cancel,
    looking: () => looking,
    problem: () => problem,
  };
}

const edgeTime = (lines: readonly LogLine[], way: Way): number | null => (way === "before" ? lines[0] : lines.at(-1))?.at ?? null;
