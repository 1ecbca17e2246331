/** The journal of a run: what happened, attempt by attempt, with the root cause on top. */

import { isOver, type RunState } from "../../cluster/run/state.ts";
import { formatDuration } from "../../cluster/view/duration.ts";
import { firstLine } from "../../cluster/view/paragraph.ts";
import { plural } from "../format.ts";
import { glyphsOf } from "../glyphs.ts";
import type { ActionId } from "../keys.ts";
import { type Line, line, type Span, span, type Tone } from "../line.ts";
import { formatTime, TIME_FORMATS, type TimeFormat } from "../log/times.ts";
import type { Model, RunModel, Told } from "../model.ts";
import { apart, beside, fill, ruled } from "../panes.ts";
import type { Screen, View, Wish } from "../screen.ts";
import { eventLines, eventWish } from "./event-detail.ts";
import { askFilter, type Filter, NO_FILTER } from "./parts/filter.ts";
import { finish } from "./parts/finish.ts";
import { createPicker } from "./parts/picker.ts";
import { asChosen } from "./parts/table.ts";
import { NO_RUN, nothing } from "./parts/words.ts";

/** A line of what an event is told with. `k`: which of its lines. */
type Row = { readonly key: string; readonly told: Told; readonly k: number; readonly text: string; readonly tone: Tone; readonly section: string | null };

/** From so many columns on, the chosen event is told whole beside the list. */
const WIDE = 120;

export function createEventsScreen(): Screen {
  const picker = createPicker();
  let isFollowing = true;
  let format: TimeFormat = "local";
  let filter: Filter = NO_FILTER;
  let page = 10;
  let known: {
    readonly of: Told | undefined;
    readonly count: number;
    readonly filter: Filter;
    readonly rows: readonly Row[];
    readonly keys: readonly string[];
  } | null = null;

  /** The list of events grows, and is the same list. */
  const rowsNow = ({ events }: RunModel): { rows: readonly Row[]; keys: readonly string[] } => {
    if (known === null || known.of !== events.at(-1) || known.count !== events.length || known.filter !== filter) {
      const rows = rowsOf(events).filter(({ text, section }) => filter.keeps(section ?? text));
      known = { of: events.at(-1), count: events.length, filter, rows, keys: rows.map(({ key }) => key) };
    }
    return known;
  };
  const settle = (keys: readonly string[]): void => {
    const last = keys.at(-1);
    if (isFollowing && last !== undefined) picker.choose(last);
  };

  const draw = ({ run, now }: Model, view: View): readonly Line[] => {
    if (run === null) return finish(NO_RUN, view);
    const { rows, keys } = rowsNow(run);
    settle(keys);
    const { columns } = view;
    const isWide = columns >= WIDE;
    const listed = isWide ? Math.floor(columns * 0.58) : columns;
    const causes = causeLines(run.state, now).slice(0, Math.max(0, Math.min(4, view.rows - 4)));
    const height = Math.max(1, view.rows - causes.length - (causes.length === 0 ? 1 : 2));
    page = Math.max(1, height - 1);
    const top = picker.top(keys, height);
    const at = picker.at(keys);
    const chosen = rows[at];
    const list =
      rows.length === 0
        ? nothing(filter === NO_FILTER ? "Nothing has happened yet." : `No event fits /${filter.text}.`)
        : rows.slice(top, top + height).map((row, k) => drawRow(row, top + k === at, run.state, format, listed, view.isAscii));
    const detail = isWide && chosen !== undefined ? eventLines(chosen.told, now, columns - listed - 2) : [];
    const words = `${plural(rows.length, "line")}, times ${format}${filter === NO_FILTER ? "" : `, /${filter.text}`}${isFollowing ? ", following" : `, ${rows.length - 1 - at} below`} `;
    return finish(
      [
        ...causes,
        ...(causes.length === 0 ? [] : [ruled([], columns, view.isAscii)]),
        apart([span(" what happened", "title")], [span(words, "dim")], columns),
        ...(isWide
          ? beside(
              fill(list, height),
              fill(detail, height).map((each): Line => [span(`${glyphsOf(view.isAscii).upright} `, "dim"), ...each]),
              listed,
            ).slice(0, height)
          : list),
      ],
      view,
    );
  };

  return {
    id: "events",
    title: "Events",
    actions: ["open", "follow", "time", "filter", "next"],
    draw,
    act: (action: ActionId, { run }: Model): Wish | null => {
      if (run === null) return null;
      const { rows, keys } = rowsNow(run);
      settle(keys);
      if (picker.move(action, keys, page)) {
        isFollowing = picker.at(keys) === keys.length - 1;
        return { do: "nothing" };
      }
      const at = picker.at(keys);
      const row = rows[at];
      switch (action) {
        case "open":
          return row === undefined ? null : eventWish(row.told);
        case "follow":
          isFollowing = !isFollowing;
          return { do: "nothing" };
        case "time":
          format = TIME_FORMATS[(TIME_FORMATS.indexOf(format) + 1) % TIME_FORMATS.length] ?? "local";
          return { do: "nothing" };
        case "filter":
          return askFilter(filter, (next) => {
            filter = next;
          });
        case "next":
        case "previous": {
          const next = trouble(rows, at, action === "next" ? 1 : -1);
          if (next === null) return { do: "say", text: `no ${action === "next" ? "later" : "earlier"} trouble` };
          isFollowing = false;
          picker.choose(next.key);
          return { do: "nothing" };
        }
        case "copy":
          return row === undefined ? null : { do: "copy", text: `${formatTime(row.told.event.at, "UTC", 0)} ${row.told.lines.join("\n")}` };
        default:
          return null;
      }
    },
  };
}

/** The next row that something went wrong in; the first line of it. */
function trouble(rows: readonly Row[], at: number, step: 1 | -1): Row | null {
  for (let k = at + step; k >= 0 && k < rows.length; k += step) {
    const row = rows[k];
    if (row !== undefined && row.k === 0 && row.section === null && row.tone === "bad") return row;
  }
  return null;
}

function rowsOf(events: readonly Told[]): readonly Row[] {
  return events.flatMap((told): Row[] => {
    const { event, lines, index } = told;
    const tone = toneOf(told);
    const section: Row[] =
      event.type === "attempt-begun"
        ? [
            {
              key: `${index}.s`,
              told,
              k: 0,
              text: "",
              tone: "title",
              section: `attempt ${event.attempt}: ${plural(event.world, "rank")} on ${event.members.join(", ")}`,
            },
          ]
        : [];
    return [
      ...section,
      ...lines.map((text, k): Row => ({ key: `${index}.${k}`, told, k, text, tone: k === 0 ? tone : text.startsWith("==>") ? "title" : "dim", section: null })),
    ];
  });
}

function toneOf({ event, lines }: Told): Tone {
  switch (event.type) {
    case "rank-exited":
    case "launcher-exited":
    case "host-lost":
    case "host-refused":
    case "host-failed":
    case "hang-found":
    case "attempt-diagnosed":
      return "bad";
    case "host-unseen":
    case "host-rebooted":
    case "gpus-busy":
    case "log-gap":
    case "fenced":
      return "warn";
    case "finding":
      return event.finding.until === null ? "warn" : "good";
    case "host-seen":
    case "hang-over":
      return "good";
    default:
      return lines[0]?.startsWith("==>") === true ? "title" : "plain";
  }
}

function drawRow(row: Row, isChosen: boolean, state: RunState, format: TimeFormat, columns: number, isAscii: boolean): Line {
  const { event } = row.told;
  const glyphs = glyphsOf(isAscii);
  const time = formatTime(event.at, format, state.requestedAt);
  const front = isChosen ? glyphs.chosen : " ";
  if (row.section !== null) {
    const ruledLine = ruled([span(row.section, "title")], columns - 1, isAscii);
    return isChosen ? asChosen([span(front), ...ruledLine], columns) : [span(front), ...ruledLine];
  }
  const mark = row.k === 0 && (row.tone === "bad" || row.tone === "warn") && !row.text.startsWith("!") ? "! " : "";
  const spans: Span[] = [span(`${front}${row.k === 0 ? time : " ".repeat(time.length)}${time === "" ? "" : " "}`, "dim"), span(`${mark}${row.text}`, row.tone)];
  return isChosen ? asChosen(finish([spans], { columns, rows: 1, isAscii })[0] ?? [], columns) : (finish([spans], { columns, rows: 1, isAscii })[0] ?? []);
}

/** Why the run is where it is, the last first. */
function causeLines(state: RunState, now: number): readonly Line[] {
  const { failure, cause, trouble: now_, past, hang } = state;
  const first = failure ?? now_;
  const text = cause?.text ?? first?.text;
  const present: Line[] =
    text === undefined
      ? hang === null
        ? []
        : [[span(" nothing moves: ", "bad"), span(firstLine(hang.text))]]
      : [
          [
            span(` ${failure === null ? `attempt ${state.attempt} ended` : "it failed"}: `, "bad"),
            span(firstLine(text)),
            span(cause?.code == null ? "" : `  ${cause.code}`, "accent"),
            span(first === null ? "" : `  ${formatDuration(now - first.at)} ago`, "dim"),
          ],
          ...(cause?.evidence ?? []).slice(0, 1).map((one) => line(`   ${one}`, "dim")),
        ];
  const before = past
    .filter(({ attempt }) => attempt < state.attempt || (isOver(state) && cause === null))
    .reverse()
    .map(
      (one): Line => [
        span(` attempt ${one.attempt} ended: `, "warn"),
        span(firstLine(one.cause.text)),
        span(one.cause.code === null ? "" : `  ${one.cause.code}`, "accent"),
      ],
    );
  return [...present, ...before];
}
