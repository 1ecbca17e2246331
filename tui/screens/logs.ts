/** Logs: the lines of all ranks, or of one, from the last back to the first byte. */

import { isOver } from "../../cluster/run/state.ts";
import { sanitiseWord } from "../../cluster/sanitise.ts";
import type { ActionId } from "../keys.ts";
import { type Line, line as lineOf, span } from "../line.ts";
import { type Choice, choiceWords, EVERYTHING, isNarrowed, nextLevel, nextStreams } from "../log/choice.ts";
import { drawRow, heightOf, type Layout } from "../log/draw-row.ts";
import { allText, plainText } from "../log/export-rows.ts";
import { ALL, parseFilter } from "../log/filter.ts";
import type { Row } from "../log/fold.ts";
import { count, headLine } from "../log/head.ts";
import type { LogPages } from "../log/pages.ts";
import { createReading } from "../log/reading.ts";
import { formatTime, TIME_FORMATS, type TimeFormat } from "../log/times.ts";
import { before, countAfter, lastRef, rowAt } from "../log/walk.ts";
import { wholeRow } from "../log/whole-row.ts";
import type { Seen } from "../log/window.ts";
import type { RunModel } from "../model.ts";
import type { Screen, View, Wish } from "../screen.ts";

/** Columns that an arrow key moves. */
const STEP = 20;
const PAGER = ["sh", "-c", `eval "$\{PAGER:-less}"`] as const;
const NOTHING: Wish = { do: "nothing" };
const say = (text: string): Wish => ({ do: "say", text });
const isError = ({ level }: Row): boolean => level === "error";

/** `pages` null: only what the viewer holds is shown. */
export function createLogsScreen(pages: LogPages | null = null): Screen {
  const reading = createReading(pages);
  let time: TimeFormat = "local";
  let isWrapped = false;
  let left = 0;

  const layoutOf = ({ state }: RunModel, view: View): Layout => {
    const { host, rank, filter } = reading.choice();
    const names = state.spec.hosts.map(({ name }) => name.length);
    const room = view.columns < 72 ? 0 : view.columns < 110 ? 10 : 20;
    return {
      columns: view.columns,
      time: view.columns < 50 ? "none" : time,
      start: state.requestedAt,
      hostColumns: names.length === 1 || host !== null || rank !== null ? 0 : Math.min(room, Math.max(`${names.length} hosts`.length, ...names)),
      rankColumns: view.columns < 110 ? 8 : 12,
      isWrapped,
      limit: Math.max(2, view.rows - 3),
      left,
      pattern: filter.pattern,
      isAscii: view.isAscii,
      pieces: new Map(),
    };
  };
  const seenIn = (run: RunModel, view: View, layout = layoutOf(run, view)): readonly Seen[] =>
    reading.window(run, Math.max(1, view.rows - 1), (row) => heightOf(row, layout));

  const narrow = (run: RunModel, choice: Choice): Wish => {
    left = 0;
    reading.narrow(run, choice);
    return NOTHING;
  };
  const filter = (run: RunModel): Wish => ({
    do: "type",
    label: "filter",
    initial: reading.choice().filter.text,
    check: (text) => {
      const parsed = parseFilter(text);
      return parsed.ok ? null : parsed.why;
    },
    next: (text) => {
      const parsed = parseFilter(text);
      return parsed.ok ? narrow(run, { ...reading.choice(), filter: parsed.filter }) : say(parsed.why);
    },
  });
  /** What the filter found, or errors where none is set. */
  const jump = (run: RunModel, way: "before" | "after"): Wish => {
    const found = reading.jump(run, way, reading.choice().filter.text === "" ? isError : () => true);
    return found ? NOTHING : say(way === "after" ? "no later one" : "no earlier one");
  };
  const earlierAttempt = (run: RunModel): Wish => {
    const stored = reading.stored();
    const attempt = (stored?.attempt ?? run.state.attempt) - 1;
    if (attempt >= 1) return reading.toEndOf(run, attempt) ? NOTHING : say("earlier attempts are not held here");
    if (run.state.attempt <= 1) return say("there is one attempt so far");
    reading.follow();
    return NOTHING;
  };
  const page = (run: RunModel, view: View, way: "before" | "after"): Wish => {
    const seen = seenIn(run, view);
    if (way === "after" && reading.chosen() === null) return NOTHING;
    reading.move(run, way, Math.max(2, seen.length - 1), (way === "after" ? seen.at(-1) : seen[0])?.ref ?? null);
    return NOTHING;
  };
  /** Undoes the last narrowing; null: nothing is narrowed. */
  const back = (run: RunModel): Wish | null => {
    const choice = reading.choice();
    const stored = reading.stored();
    if (reading.looking() !== null) reading.cancel();
    else if (isNarrowed(choice)) return narrow(run, { ...choice, least: EVERYTHING.least, filter: ALL });
    else if (choice.host !== null || choice.rank !== null) return narrow(run, { ...choice, host: null, rank: null });
    else if (reading.chosen() !== null || stored !== null) reading.follow();
    else return null;
    return NOTHING;
  };

  const act = (action: ActionId, run: RunModel, view: View): Wish | null => {
    reading.clearOutcome();
    const reel = reading.rows(run);
    const at = reading.chosen() ?? lastRef(reel);
    const row = at === null ? null : rowAt(reel, at);
    const start = run.state.requestedAt;
    const plain: Partial<Record<ActionId, () => unknown>> = {
      up: () => reading.move(run, "before", 1, null),
      down: () => reading.move(run, "after", 1, null),
      first: () => reading.toFirst(run),
      last: () => {
        const stored = reading.stored();
        if (stored === null || stored.attempt === run.state.attempt) reading.follow();
        else reading.toEndOf(run, stored.attempt);
      },
      follow: reading.follow,
      left: () => {
        left = Math.max(0, left - STEP);
      },
      right: () => {
        left += STEP;
      },
      wrap: () => {
        isWrapped = !isWrapped;
        left = 0;
      },
      time: () => {
        time = TIME_FORMATS[(TIME_FORMATS.indexOf(time) + 1) % TIME_FORMATS.length] ?? "local";
      },
    };
    const simple = plain[action];
    if (simple !== undefined) {
      simple();
      return NOTHING;
    }
    const wishes: Partial<Record<ActionId, () => Wish | null>> = {
      "page-up": () => page(run, view, "before"),
      "page-down": () => page(run, view, "after"),
      level: () => narrow(run, nextLevel(reading.choice())),
      stream: () => narrow(run, nextStreams(reading.choice())),
      filter: () => filter(run),
      next: () => jump(run, "after"),
      previous: () => jump(run, "before"),
      error: () => (reading.jumpToFirst(run, isError) ? NOTHING : say("no error among the lines held here")),
      attempt: () => earlierAttempt(run),
      open: () => (row === null ? NOTHING : { do: "overlay", title: "log line", lines: (_model, { columns }) => wholeRow(row, start, columns) }),
      copy: () => (row === null ? say("no line to copy") : { do: "copy", text: plainText(row.line) }),
      pager: () => ({ do: "hand-over", argv: PAGER, input: allText(reel, time, start), doing: "opening the lines held here in a pager" }),
      back: () => back(run),
    };
    return wishes[action]?.() ?? null;
  };

  return {
    id: "logs",
    title: "Logs",
    actions: ["filter", "next", "follow", "level", "error", "attempt", "stream", "wrap", "time", "copy", "pager"],
    draw: ({ run }, view): readonly Line[] => {
      if (run === null) return [lineOf(" no run is watched", "dim")];
      const layout = layoutOf(run, view);
      const seen = seenIn(run, view, layout);
      const times = time === "local" ? "" : `  times ${time}`;
      const from = left === 0 ? "" : `  from column ${left + 1}`;
      const chosen = reading.chosen();
      const isChosen = ({ ref }: Seen): boolean => chosen !== null && ref.block === chosen.block && ref.index === chosen.index;
      const rows = seen.flatMap((each) => drawRow(each.row, layout, isChosen(each)));
      const none = isNarrowed(reading.choice()) ? " no line held here is like that; esc shows all" : " no lines yet";
      return [
        headLine(`${choiceWords(reading.choice())}${times}${from}`, span(...standing(run, seen)), view.columns),
        ...(rows.length === 0 ? [lineOf(none, "dim")] : rows),
      ].slice(0, view.rows);
    },
    act: (action, { run }, view) => (run === null ? null : act(action, run, view)),
    show: ({ host, rank, word }, { run }) => {
      if (run === null) return;
      reading.rows(run);
      reading.follow();
      const parsed = parseFilter(word ?? "");
      const { filter } = reading.choice();
      narrow(run, {
        ...reading.choice(),
        host: rank === undefined ? (host ?? null) : null,
        rank: rank ?? null,
        filter: word !== undefined && parsed.ok ? parsed.filter : filter,
      });
    },
  };

  /** Where one is in the lines. */
  function standing(run: RunModel, seen: readonly Seen[]): [string, "dim" | "bad" | "accent"] {
    const outcome = reading.outcome();
    if (outcome !== null) return [sanitiseWord(outcome.text), outcome.isBad ? "bad" : "accent"];
    const looking = reading.looking();
    if (looking !== null) return [`reading${looking.at === null ? "" : `, at ${formatTime(looking.at, "local", 0)}`}; esc ends it`, "accent"];
    const stored = reading.stored();
    const last = seen.at(-1)?.ref;
    const below = last === undefined ? 0 : countAfter(reading.rows(run), last);
    if (stored !== null) {
      const which = run.state.attempt > 1 ? `attempt ${stored.attempt} of ${run.state.attempt}` : "stored lines";
      const first = seen[0]?.ref;
      const isBegin = !stored.hasMore("before") && first !== undefined && before(stored.reel, first) === null;
      return [below === 0 && !stored.hasMore("after") ? `${which}, the end` : isBegin ? `${which}, from the first` : which, "dim"];
    }
    const isEnded = isOver(run.state);
    if (reading.chosen() === null) return [isEnded ? "the end" : "following", "dim"];
    if (isEnded) return [below === 0 ? "the last line" : `${count(below)} below`, "dim"];
    return [below === 0 ? "the last line" : `${count(below)} ${below === 1 ? "new line" : "new lines"} below, f follows`, "accent"];
  }
}
