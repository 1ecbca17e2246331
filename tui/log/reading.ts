/** Where in the lines of a run one reads, and of which: following the end of what is held, or around a chosen row, among the stored lines where the held ones end. */

import type { LogLine, LogPlace } from "../../cluster/viewer.ts";
import type { LogBook } from "../log-book.ts";
import type { RunModel } from "../model.ts";
import { type Choice, EVERYTHING, matcherOf } from "./choice.ts";
import type { Row } from "./fold.ts";
import type { Way } from "./page-blocks.ts";
import type { LogPages } from "./pages.ts";
import { createReel, type Reel } from "./reel.ts";
import { createStored, type Look, type Stored } from "./stored.ts";
import { after, before, firstRef, lastRef, nearest, type Ref, rowAt, seek } from "./walk.ts";
import { type Seen, windowOf } from "./window.ts";

/** Lines a page: to read, and to look for something. */
const PAGE = 1000;
const PAGE_OF_SEARCH = 5000;
/** Pages that one key looks through for rows to show; the next key looks on. */
const PAGES = 100;
/** Pages in which a line that is shown should be found again. */
const PAGES_AROUND = 50;

export type Reading = {
  /** Of this run from here on; its rows. */
  readonly rows: (run: RunModel) => Reel;
  readonly choice: () => Choice;
  /** null: the end is followed. */
  readonly chosen: () => Ref | null;
  /** null: the lines that are held are read. */
  readonly stored: () => Stored | null;
  /** What is being read, how far it has come; null: nothing. What was shown is shown until there is something. */
  readonly looking: () => { readonly at: number | null } | null;
  readonly cancel: () => void;
  /** What the last look came to when it found nothing; null: nothing is to be said. */
  readonly outcome: () => { readonly text: string; readonly isBad: boolean } | null;
  readonly clearOutcome: () => void;
  readonly window: (run: RunModel, height: number, heightOf: (row: Row) => number) => readonly Seen[];
  readonly narrow: (run: RunModel, choice: Choice) => void;
  readonly follow: () => void;
  /** By so many rows; more than one: pages, `edge` is the row to go on from. */
  readonly move: (run: RunModel, way: Way, rows: number, edge: Ref | null) => void;
  readonly toFirst: (run: RunModel) => void;
  /** The end of what is stored of an attempt. false: nothing can be asked. */
  readonly toEndOf: (run: RunModel, attempt: number) => boolean;
  /** To the nearest row that is wanted; false: there is none. */
  readonly jump: (run: RunModel, way: Way, wanted: (row: Row) => boolean) => boolean;
  /** To the first of the attempt, looked for from its beginning; false: there is none. */
  readonly jumpToFirst: (run: RunModel, wanted: (row: Row) => boolean) => boolean;
};

const placeAt = (at: number): LogPlace => ({ at, host: "", stream: "", to: 0 });

export function createReading(pages: LogPages | null): Reading {
  let run = "";
  let book: LogBook | null = null;
  let choice: Choice = EVERYTHING;
  let live: Reel | null = null;
  let stored: Stored | null = null;
  /** To be read in place of what is, when it has rows. */
  let opening: Stored | null = null;
  let outcome: { readonly text: string; readonly isBad: boolean } | null = null;
  let chosen: Ref | null = null;
  let top: Ref | null = null;
  let height = 1;

  const cancel = (): void => {
    opening?.cancel();
    opening = null;
    stored?.cancel();
  };
  const follow = (): void => {
    cancel();
    stored = chosen = top = null;
  };
  const arrive = (opened: Stored, at: Ref | null): void => {
    if (opened !== stored) stored?.cancel();
    stored = opened;
    opening = null;
    chosen = top = at;
    fill();
  };
  const end = (from: Stored, text: string): void => {
    const problem = from.problem();
    outcome = { text: problem ?? text, isBad: problem !== null };
    opening = null;
  };
  const rows = (model: RunModel): Reel => {
    if (run !== model.id || book !== model.log) {
      if (run !== "" && run !== model.id) choice = { ...choice, host: null, rank: null };
      run = model.id;
      book = model.log;
      live = null;
      follow();
    }
    live ??= createReel(model.log, matcherOf(choice));
    return stored?.reel ?? live;
  };

  const lacks = (from: Stored, way: Way): boolean => {
    if (!from.hasMore(way)) return false;
    let ref = chosen ?? lastRef(from.reel);
    for (let k = 0; k < 2 * height && ref !== null; k += 1) ref = (way === "before" ? before : after)(from.reel, ref);
    return ref === null;
  };
  /** Reads what is needed to fill the screen, and a little more. */
  const fill = (left = PAGES): void => {
    const from = stored;
    if (from === null || opening !== null || from.looking() !== null || left <= 0) return;
    const way = lacks(from, "before") ? "before" : chosen !== null && lacks(from, "after") ? "after" : null;
    if (way !== null)
      from.look({
        way,
        count: PAGE,
        pages: left,
        wanted: () => true,
        done: (found) => (found === null ? from.problem() !== null && end(from, "") : fill(left - 1)),
      });
  };
  const open = (attempt: number, way: Way, begin: LogPlace | null): Stored | null => {
    if (pages === null) return null;
    const { host, rank, streams } = choice;
    const want = { hosts: host === null ? null : [host], ranks: rank === null ? null : [rank], streams, attempt, since: null, last: null, follow: false };
    cancel();
    const of = run;
    opening = createStored(attempt, (page, sink) => pages.ask(of, { ...want, page }, sink), matcherOf(choice), way, begin);
    return opening;
  };
  const lookIn = (opened: Stored, none: string, look: Omit<Look, "done">): void =>
    opened.look({ ...look, done: (found) => (found === null ? end(opened, none) : arrive(opened, found)) });
  /** Among the stored lines, where a line is that is shown; `step`: one row before it. */
  const openAround = (line: LogLine, step: boolean, from: LogPlace | null): void => {
    // What is held has the time of its coming; what is stored, that of the second it came in.
    const opened = open(line.attempt, "before", from ?? placeAt(line.at + 1001));
    const isIt = (one: LogLine): boolean => one.host === line.host && one.rank === line.rank && one.stream === line.stream && one.text === line.text;
    const done = (found: Ref | null): void => {
      if (opened === null) return;
      const { reel } = opened;
      const near = found ?? seek(reel, { block: reel.end(), index: 0 }, -1, (row) => row.line.at <= line.at) ?? firstRef(reel);
      if (near === null) return end(opened, "nothing earlier is stored");
      arrive(opened, step ? (before(reel, near) ?? near) : near);
      top = null;
    };
    opened?.look({ way: "before", count: PAGE, pages: PAGES_AROUND, wanted: (row) => [row.line, ...row.also].some(isIt), done });
  };
  const openEnd = (attempt: number): boolean => {
    const opened = open(attempt, "before", null);
    if (opened !== null)
      opened.look({
        way: "before",
        count: PAGE,
        pages: PAGES,
        wanted: () => true,
        done: (found) => (found === null && opened.problem() !== null ? end(opened, "") : arrive(opened, null)),
      });
    return opened !== null;
  };

  return {
    rows,
    choice: () => choice,
    chosen: () => chosen,
    stored: () => stored,
    looking: () => (opening ?? stored)?.looking() ?? null,
    cancel,
    outcome: () => outcome,
    clearOutcome: () => {
      outcome = null;
    },
    follow,
    window: (model, area, heightOf) => {
      height = area;
      const seen = windowOf(rows(model), top, chosen, area, heightOf);
      top = chosen === null ? null : (seen[0]?.ref ?? null);
      return seen;
    },
    narrow: (model, next) => {
      const at = chosen;
      const row = at === null ? null : rowAt(rows(model), at);
      choice = next;
      live = null;
      if (stored !== null && row !== null && at !== null) openAround(row.line, false, stored.endOf(at.block));
      else if (stored !== null) openEnd(stored.attempt);
      else if (at !== null && row !== null) {
        chosen = nearest(rows(model), at.block, row.place);
        top = null;
      }
    },
    move: (model, way, count, edge) => {
      const reel = rows(model);
      const step = way === "after" ? after : before;
      let ref = count > 1 ? edge : (chosen ?? (way === "before" ? lastRef(reel) : null));
      if (ref === null) return;
      // The page below begins with the last row of this one.
      const steps = count > 1 && way === "after" && after(reel, ref) !== null ? 0 : count;
      for (let k = 0; k < steps; k += 1) {
        const next = step(reel, ref);
        if (next === null) {
          const isEnd = way === "after" && (stored === null || (stored.attempt === model.state.attempt && !stored.hasMore(way)));
          if (isEnd && k === 0) return follow();
          if (way === "before" && stored === null && k === 0 && pages !== null) {
            if (opening !== null) return; // a key that repeats must not begin it anew each time
            const row = rowAt(reel, ref);
            if (row !== null) return openAround(row.line, true, null);
          }
          break;
        }
        ref = next;
      }
      chosen = ref;
      if (count > 1) top = ref;
      fill();
    },
    toFirst: (model) => {
      const reel = rows(model);
      const row = chosen === null ? null : rowAt(reel, chosen);
      const opened = open(row?.line.attempt ?? model.state.attempt, "after", null);
      if (opened === null) chosen = top = firstRef(reel);
      else lookIn(opened, "nothing is stored", { way: "after", count: PAGE, pages: Number.POSITIVE_INFINITY, wanted: () => true });
    },
    toEndOf: (model, attempt) => {
      rows(model);
      return openEnd(attempt);
    },
    jump: (model, way, wanted) => {
      const reel = rows(model);
      const from = chosen ?? lastRef(reel);
      const found = from === null ? null : seek(reel, from, way === "after" ? 1 : -1, wanted);
      if (found !== null) {
        chosen = found;
        fill();
        return true;
      }
      const oldest = model.log.block(model.log.firstBlock())[0];
      if (stored === null && way === "before" && oldest !== undefined) open(oldest.attempt, way, placeAt(oldest.at));
      const target = opening ?? stored;
      if (target === null || !target.hasMore(way)) return false;
      const none = way === "before" ? "no earlier one" : "no later one";
      const done = (ref: Ref | null): void => (ref === null ? end(target, none) : arrive(target, ref));
      target.look({ way, count: PAGE_OF_SEARCH, pages: Number.POSITIVE_INFINITY, wanted, done });
      return true;
    },
    jumpToFirst: (model, wanted) => {
      const reel = rows(model);
      const opened = open(stored?.attempt ?? model.state.attempt, "after", null);
      if (opened !== null) {
        lookIn(opened, "none in this attempt", { way: "after", count: PAGE_OF_SEARCH, pages: Number.POSITIVE_INFINITY, wanted });
        return true;
      }
      const found = seek(reel, { block: reel.first(), index: -1 }, 1, wanted);
      chosen = found ?? chosen;
      return found !== null;
    },
  };
}
