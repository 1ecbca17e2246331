/** Every rank: where it is, how it is, how it gets on beside the others, and the last that it wrote. */

import { median } from "../../cluster/steps/pace.ts";
import { formatDuration } from "../../cluster/view/duration.ts";
import { firstLine } from "../../cluster/view/paragraph.ts";
import { plural, shortSpan } from "../format.ts";
import type { ActionId } from "../keys.ts";
import { type Line, type Span, span } from "../line.ts";
import { formatTime } from "../log/times.ts";
import type { Model, RunModel } from "../model.ts";
import { apart, ruled } from "../panes.ts";
import type { Screen, View, Wish } from "../screen.ts";
import { hangWish } from "./hang-wish.ts";
import { askFilter, type Filter, NO_FILTER } from "./parts/filter.ts";
import { finish } from "./parts/finish.ts";
import { shellOn } from "./parts/host-wishes.ts";
import { createPicker } from "./parts/picker.ts";
import { type Column, drawTable } from "./parts/table.ts";
import { labelled, NO_RUN, nothing } from "./parts/words.ts";
import { type RankRow, rankRows, stepIn, wordsIn } from "./rank-rows.ts";

const SORTS = ["RANK", "DEV", "QUIET", "STATE", "HOST"] as const;
type Sort = (typeof SORTS)[number];
/** Beyond it a rank's step is told as slower or faster than the others'. */
const ODD = 0.2;

export function createRanksScreen(): Screen {
  const picker = createPicker();
  const marked = new Set<number>();
  /** The last step of each rank: the line after it need not tell one. */
  const steps = new Map<number, { readonly attempt: number; readonly step: number }>();
  let sort: Sort = "RANK";
  let attempt: number | null = null;
  let filter: Filter = NO_FILTER;
  let page = 10;

  const rowsNow = (run: RunModel, now: number): readonly RankRow[] => {
    if (attempt !== null && attempt >= run.state.attempt) attempt = null;
    const all = rankRows(run, attempt).filter((row) => filter.keeps(`r${row.rank} ${row.host} ${row.state} ${lastWords(run, row, attempt)}`));
    return sorted(all, sort, (row) => quietOf(run, row, now), marked);
  };
  const keysOf = (rows: readonly RankRow[]): readonly string[] => rows.map(({ rank }) => String(rank));

  const draw = ({ run, now }: Model, view: View): readonly Line[] => {
    if (run === null) return finish(NO_RUN, view);
    const rows = rowsNow(run, now);
    const keys = keysOf(rows);
    const at = picker.at(keys);
    const chosen = rows[at];
    if (chosen === undefined) return finish([...head(run, rows, now, attempt, sort, filter, view), ...whyNone(run, attempt, filter)], view);
    const room = view.rows - 3;
    const detail = view.rows < 12 ? [] : detailOf(run, chosen, attempt, now, view, Math.max(2, Math.floor(view.rows * 0.3)));
    const height = Math.max(1, Math.min(rows.length, room - detail.length));
    const rest = attempt === null ? tailOf(run, chosen, room - detail.length - height, view) : [];
    page = height;
    return finish(
      [
        ...head(run, rows, now, attempt, sort, filter, view),
        ...drawTable({
          columns: columnsOf(run, attempt, now, steps),
          rows,
          chosen: at,
          top: picker.top(keys, height),
          height,
          width: view.columns,
          isAscii: view.isAscii,
          sortedBy: sort,
          isMarked: ({ rank }) => marked.has(rank),
        }),
        ...(detail.length === 0 ? [] : [ruled([], view.columns, view.isAscii)]),
        ...detail,
        ...rest,
      ],
      view,
    );
  };

  return {
    id: "ranks",
    title: "Ranks",
    actions: ["open", "hang", "sort", "mark", "attempt", "filter"],
    draw,
    act: (action: ActionId, { run, now }: Model): Wish | null => {
      if (run === null) return null;
      const rows = rowsNow(run, now);
      const keys = keysOf(rows);
      if (picker.move(action, keys, page)) return { do: "nothing" };
      const row = rows[picker.at(keys)];
      switch (action) {
        case "open":
          return row === undefined ? null : { do: "open", screen: "logs", rank: row.rank };
        case "mark":
          if (row !== undefined && !marked.delete(row.rank)) marked.add(row.rank);
          picker.choose(keys[Math.min(picker.at(keys) + 1, keys.length - 1)] ?? "");
          return { do: "nothing" };
        case "sort":
          sort = SORTS[(SORTS.indexOf(sort) + 1) % SORTS.length] ?? "RANK";
          picker.reset();
          return { do: "nothing" };
        case "attempt": {
          const before = (attempt ?? run.state.attempt) - 1;
          attempt = before >= 1 ? before : null;
          return run.state.attempt < 2 ? { do: "say", text: "there was no attempt before this one" } : { do: "nothing" };
        }
        case "filter":
          return askFilter(filter, (next) => {
            filter = next;
          });
        case "hang":
          return hangWish(run);
        case "shell":
          return row === undefined ? null : shellOn(run, row.host);
        case "copy":
          return row === undefined ? null : { do: "copy", text: copyOf(run, row, attempt) };
        default:
          return null;
      }
    },
    show: ({ rank, host }, { run }) => {
      attempt = null;
      filter = NO_FILTER;
      const first = rank ?? Object.values(run?.state.ranks ?? {}).find((one) => one.host === host)?.rank;
      if (first !== undefined) picker.choose(String(first));
    },
  };
}

const lastLine = (run: RunModel, { rank }: RankRow, attempt: number | null) => (attempt === null ? run.log.lastOf(rank) : null);
/** Of an attempt that is over the log has the lines: only how it ended is told here. */
function lastWords(run: RunModel, row: RankRow, attempt: number | null): string {
  const line = lastLine(run, row, attempt);
  return line === null || line.attempt !== run.state.attempt ? "" : wordsIn(line);
}
function quietOf(run: RunModel, { rank }: RankRow, now: number): number | null {
  const line = run.log.lastOf(rank);
  return line === null || line.attempt !== run.state.attempt ? null : now - line.at;
}

function sorted(rows: readonly RankRow[], by: Sort, quiet: (row: RankRow) => number | null, marked: ReadonlySet<number>): readonly RankRow[] {
  const bad = ({ isBad, isAccused, isAlive }: RankRow): number => (isBad ? 0 : isAccused ? 1 : isAlive ? 3 : 2);
  const orders: Readonly<Record<Sort, (a: RankRow, b: RankRow) => number>> = {
    RANK: () => 0,
    DEV: (a, b) => (b.deviation ?? -9) - (a.deviation ?? -9),
    QUIET: (a, b) => (quiet(b) ?? -1) - (quiet(a) ?? -1),
    STATE: (a, b) => bad(a) - bad(b),
    HOST: (a, b) => (a.host < b.host ? -1 : a.host > b.host ? 1 : 0),
  };
  // Those that are marked stay together on top, to be read beside each other.
  return [...rows].sort((a, b) => Number(marked.has(b.rank)) - Number(marked.has(a.rank)) || orders[by](a, b) || a.rank - b.rank);
}

function head(run: RunModel, rows: readonly RankRow[], now: number, attempt: number | null, sort: Sort, filter: Filter, { columns }: View): readonly Line[] {
  const { state } = run;
  const words = `  by ${sort.toLowerCase()}${filter === NO_FILTER ? "" : `, /${filter.text}`} `;
  if (attempt !== null) {
    const past = state.past.find((one) => one.attempt === attempt);
    const why = past === undefined ? "" : ` ended ${formatDuration(now - past.endedAt)} ago: ${firstLine(past.cause.text)}`;
    return [apart([span(` attempt ${attempt} of ${state.attempt}`, "title"), span(why, "warn")], [span(words, "dim")], columns)];
  }
  const alive = rows.filter(({ isAlive }) => isAlive).length;
  const bad = rows.filter(({ isBad }) => isBad).length;
  const times = rows.flatMap(({ stepMs }) => stepMs ?? []);
  const slow = [...rows].sort((a, b) => (b.deviation ?? -1) - (a.deviation ?? -1))[0];
  const parts: Span[] = [
    span(` ${plural(rows.length, "rank")}`, "title"),
    span(`, ${alive} running`),
    span(bad === 0 ? "" : `, ${bad} not well`, "bad"),
    span(attempt === null && alive > 1 && times.length < 2 ? ", none to compare: docs/progress.md, step()" : "", "dim"),
    span(times.length < 2 ? "" : `, ${run.busyMs.size >= 2 ? "work" : "step"} ${milliseconds(median(times))} median`, "dim"),
    span(slow?.deviation == null || slow.deviation < ODD ? "" : `, slowest r${slow.rank} ${percent(slow.deviation)}`, "warn"),
  ];
  return [apart(parts, [span(words, "dim")], columns)];
}

function whyNone({ state }: RunModel, attempt: number | null, filter: Filter): readonly Line[] {
  if (filter !== NO_FILTER) return nothing(`No rank fits /${filter.text}.`, "/ and an empty line shows all.");
  if (attempt !== null) return nothing(`No rank of attempt ${attempt} was started.`);
  return nothing("No rank has been started yet.", `The run is ${state.phase}; 1 shows what each host is doing.`);
}

const milliseconds = (ms: number): string => (ms >= 10_000 ? `${(ms / 1000).toFixed(1)} s` : `${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`);
const percent = (share: number): string => `${share >= 0 ? "+" : "-"}${Math.abs(100 * share).toFixed(0)}%`;

type Steps = Map<number, { readonly attempt: number; readonly step: number }>;

function columnsOf(run: RunModel, attempt: number | null, now: number, steps: Steps): readonly Column<RankRow>[] {
  const pattern = run.state.spec.stepPattern === undefined ? null : new RegExp(run.state.spec.stepPattern);
  const step = (row: RankRow): string => {
    const line = lastLine(run, row, attempt);
    const found = line === null || line.attempt !== run.state.attempt ? null : stepIn(line, pattern);
    if (found !== null) steps.set(row.rank, { attempt: run.state.attempt, step: found });
    const known = steps.get(row.rank);
    return known === undefined || known.attempt !== run.state.attempt ? "-" : String(known.step);
  };
  const quiet = (row: RankRow): string => {
    const ms = quietOf(run, row, now);
    return ms === null ? "-" : shortSpan(ms);
  };
  const all: readonly (Column<RankRow> & { readonly isPresent?: true })[] = [
    { title: "RANK", of: ({ rank, isAccused }) => span(`r${rank}${isAccused ? "!" : ""}`, isAccused ? "bad" : "plain"), drop: 0 },
    { title: "HOST", of: ({ host }) => host, drop: 0, most: 20 },
    { title: "LOCAL", of: ({ local }) => String(local), isRight: true, drop: 9 },
    { title: "PID", of: ({ pid }) => (pid === null ? "-" : String(pid)), isRight: true, drop: 8 },
    { title: "STATE", of: ({ state, isBad, isAlive }) => span(state, isBad ? "bad" : isAlive ? "good" : "plain"), drop: 0, most: 32 },
    { title: "STEP", of: step, isRight: true, drop: 4, isPresent: true },
    {
      title: run.busyMs.size >= 2 ? "WORK" : "TIME",
      of: ({ stepMs }) => (stepMs === null ? "-" : milliseconds(stepMs)),
      isRight: true,
      drop: 5,
      isPresent: true,
    },
    { title: "DEV", of: deviationOf, isRight: true, drop: 3, isPresent: true },
    { title: "QUIET", of: quiet, isRight: true, drop: 6, isPresent: true },
    { title: "LAST LINE", of: (row) => span(lastWords(run, row, attempt), "dim"), drop: 7, fills: 18, isPresent: true },
  ];
  return all.filter(({ isPresent }) => attempt === null || isPresent !== true);
}

function deviationOf({ deviation }: RankRow): Span {
  if (deviation === null) return span("-", "dim");
  const isOdd = Math.abs(deviation) >= ODD;
  return span(`${percent(deviation)}${isOdd ? "!" : " "}`, isOdd ? "warn" : "plain");
}

function detailOf(run: RunModel, row: RankRow, attempt: number | null, now: number, { columns }: View, rows: number): readonly Line[] {
  const finding = (run.state.findings ?? []).find(({ rank, until, attempt: of }) => rank === row.rank && until === null && of === run.state.attempt);
  const words = lastWords(run, row, attempt);
  const quiet = quietOf(run, row, now);
  return [
    ...labelled(
      `rank ${row.rank}`,
      `on ${row.host}, local rank ${row.local}${row.pid === null ? "" : `, PID ${row.pid}`}: ${row.state}`,
      columns,
      row.isBad ? "bad" : "title",
    ),
    ...(finding === undefined || attempt !== null ? [] : labelled("found", finding.text, columns, "warn")),
    ...(attempt !== null
      ? []
      : words === ""
        ? labelled("wrote", "nothing yet", columns, "dim")
        : labelled(quiet === null ? "wrote" : `${shortSpan(quiet)} ago`, words, columns)),
  ].slice(0, rows);
}

/** What it wrote before, where there is room. */
function tailOf(run: RunModel, { rank }: RankRow, rows: number, { columns, isAscii }: View): readonly Line[] {
  if (rows < 4) return [];
  const own = run.log
    .tail(4000)
    .filter((line) => line.rank === rank && line.gap === undefined)
    .slice(-(rows - 1));
  if (own.length < 2) return [];
  return [
    ruled([span(`last lines of r${rank}`, "dim")], columns, isAscii),
    ...own.map((line): Line => [span(` ${formatTime(line.at, "local", 0)} `, "dim"), span(wordsIn(line))]),
  ];
}

function copyOf(run: RunModel, row: RankRow, attempt: number | null): string {
  return `rank ${row.rank} on ${row.host}, local ${row.local}, PID ${row.pid ?? "-"}: ${row.state} ${lastWords(run, row, attempt)}`.trimEnd();
}
