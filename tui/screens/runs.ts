/** The runs of this controller: those that are alive, those that wait and for whom, and what became of the others. */

import { TERMINAL } from "../../cluster/run/state.ts";
import { costAt } from "../../cluster/telemetry/cost.ts";
import { formatDuration } from "../../cluster/view/duration.ts";
import { phaseWord, runWhy } from "../../cluster/view/run-table.ts";
import type { RunSummary } from "../../cluster/viewer.ts";
import { plural } from "../format.ts";
import type { ActionId } from "../keys.ts";
import { type Line, type Span, span, type Tone } from "../line.ts";
import type { Model } from "../model.ts";
import { apart, ruled } from "../panes.ts";
import type { Screen, View, Wish } from "../screen.ts";
import { askFilter, type Filter, NO_FILTER } from "./parts/filter.ts";
import { finish } from "./parts/finish.ts";
import { createPicker } from "./parts/picker.ts";
import { type Column, drawTable } from "./parts/table.ts";
import { labelled, nothing } from "./parts/words.ts";
import { compareWish } from "./run-diff.ts";

const SORTS = ["BEGUN", "STATE", "LASTED", "COST", "NAME"] as const;
type Sort = (typeof SORTS)[number];

export function createRunsScreen(): Screen {
  const picker = createPicker();
  const marked: string[] = [];
  let sort: Sort = "BEGUN";
  let filter: Filter = NO_FILTER;
  let page = 10;

  const rowsNow = ({ runs, now }: Model): readonly RunSummary[] =>
    sorted(
      runs.filter((run) => filter.keeps(`${run.run} ${run.name} ${phaseWord(run)} ${run.by} ${(run.tags ?? []).join(" ")} ${runWhy(run, now)}`)),
      sort,
      now,
    );

  const draw = (model: Model, view: View): readonly Line[] => {
    const { runs, now } = model;
    if (runs.length === 0) return finish(nothing("No run yet on this machine.", "nexadist up FILE starts one; nexadist init writes such a file."), view);
    const rows = rowsNow(model);
    if (rows.length === 0)
      return finish([head(runs, now, sort, filter, view), ...nothing(`No run fits /${filter.text}.`, "/ and an empty line shows all.")], view);
    const keys = rows.map(({ run }) => run);
    const at = picker.at(keys);
    const chosen = rows[at];
    const detail = chosen === undefined || view.rows < 12 ? [] : detailOf(chosen, model, view).slice(0, Math.max(3, Math.floor(view.rows * 0.4)));
    const height = Math.max(1, Math.min(rows.length, view.rows - 3 - detail.length));
    page = height;
    return finish(
      [
        head(runs, now, sort, filter, view),
        ...drawTable({
          columns: columnsOf(model),
          rows,
          chosen: at,
          top: picker.top(keys, height),
          height,
          width: view.columns,
          isAscii: view.isAscii,
          sortedBy: sort,
          isMarked: ({ run }) => marked.includes(run),
        }),
        ...(detail.length === 0 ? [] : [ruled([], view.columns, view.isAscii)]),
        ...detail,
      ],
      view,
    );
  };

  return {
    id: "runs",
    title: "Runs",
    actions: ["open", "mark", "compare", "sort", "filter"],
    draw,
    act: (action: ActionId, model: Model): Wish | null => {
      const rows = rowsNow(model);
      const keys = rows.map(({ run }) => run);
      if (picker.move(action, keys, page)) return { do: "nothing" };
      const row = rows[picker.at(keys)];
      switch (action) {
        case "open":
          return row === undefined ? null : { do: "watch", run: row.run };
        case "mark": {
          if (row === undefined) return null;
          const known = marked.indexOf(row.run);
          if (known >= 0) marked.splice(known, 1);
          else marked.push(row.run);
          // Two are compared: of three the first is let go.
          if (marked.length > 2) marked.shift();
          picker.choose(keys[Math.min(picker.at(keys) + 1, keys.length - 1)] ?? "");
          return { do: "nothing" };
        }
        case "compare": {
          const [a, b] = marked;
          if (a !== undefined && b !== undefined) return compareWish(a, b);
          if (a !== undefined && row !== undefined && a !== row.run) return compareWish(a, row.run);
          return { do: "say", text: "space marks two runs, = compares them" };
        }
        case "sort":
          sort = SORTS[(SORTS.indexOf(sort) + 1) % SORTS.length] ?? "BEGUN";
          picker.reset();
          return { do: "nothing" };
        case "filter":
          return askFilter(filter, (next) => {
            filter = next;
          });
        case "copy":
          return row === undefined ? null : { do: "copy", text: row.run };
        default:
          return null;
      }
    },
  };
}

const isAlive = ({ phase, endedAt }: RunSummary): boolean => endedAt === null && !TERMINAL.has(phase);
const lastedMs = ({ requestedAt, endedAt, knownAt }: RunSummary, now: number): number => (endedAt ?? knownAt ?? now) - requestedAt;
const costOf = (run: RunSummary, now: number): number | null => (run.pricePerHour === undefined ? null : costAt(run.pricePerHour, lastedMs(run, now)));

function sorted(runs: readonly RunSummary[], by: Sort, now: number): readonly RunSummary[] {
  const standing = (run: RunSummary): number => (run.waitsFor !== undefined ? 1 : isAlive(run) ? 0 : run.phase === "failed" ? 2 : 3);
  const orders: Readonly<Record<Sort, (a: RunSummary, b: RunSummary) => number>> = {
    BEGUN: () => 0,
    STATE: (a, b) => standing(a) - standing(b),
    LASTED: (a, b) => lastedMs(b, now) - lastedMs(a, now),
    COST: (a, b) => (costOf(b, now) ?? -1) - (costOf(a, now) ?? -1),
    NAME: (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
  };
  return [...runs].sort((a, b) => orders[by](a, b) || b.requestedAt - a.requestedAt);
}

function head(runs: readonly RunSummary[], now: number, sort: Sort, filter: Filter, { columns }: View): Line {
  const alive = runs.filter((run) => isAlive(run) && run.waitsFor === undefined).length;
  const waiting = runs.filter(({ waitsFor }) => waitsFor !== undefined).length;
  const failed = runs.filter(({ phase }) => phase === "failed").length;
  const cost = runs.reduce((sum, run) => sum + (costOf(run, now) ?? 0), 0);
  const words: Span[] = [
    span(` ${plural(runs.length, "run")}`, "title"),
    span(`, ${alive} alive`, alive > 0 ? "good" : "plain"),
    span(waiting === 0 ? "" : `, ${waiting} waiting`, "warn"),
    span(failed === 0 ? "" : `, ${failed} failed`, "bad"),
    span(cost === 0 ? "" : `, ${dollars(cost)} in all`, "dim"),
  ];
  return apart(words, [span(`by ${sort.toLowerCase()}${filter === NO_FILTER ? "" : `, /${filter.text}`} `, "dim")], columns);
}

const dollars = (amount: number): string => `$${amount.toFixed(amount < 100 ? 2 : 0)}`;
const two = (n: number): string => String(n).padStart(2, "0");
/** Local; of another day also that. */
function begun(at: number, now: number): string {
  const [then, today] = [new Date(at), new Date(now)];
  const time = `${two(then.getHours())}:${two(then.getMinutes())}`;
  return then.toDateString() === today.toDateString() ? time : `${then.getFullYear()}-${two(then.getMonth() + 1)}-${two(then.getDate())} ${time}`;
}

function toneOf(run: RunSummary): Tone {
  if (run.phase === "failed") return "bad";
  if (run.waitsFor !== undefined || run.needsAuth !== undefined || (run.owing ?? []).length > 0) return "warn";
  return isAlive(run) || run.phase === "succeeded" ? "good" : "plain";
}

function columnsOf({ now, runs, run: watched }: Model): readonly Column<RunSummary>[] {
  const all: readonly Column<RunSummary>[] = [
    { title: "RUN", of: ({ run }) => span(run, watched?.id === run ? "accent" : "plain"), drop: 0, most: 40 },
    { title: "NAME", of: ({ name }) => name, drop: 10, most: 20 },
    { title: "STATE", of: (run) => span(`${phaseWord(run)}${watched?.id === run.run ? " (here)" : ""}`, toneOf(run)), drop: 0, most: 24 },
    { title: "BEGUN", of: ({ requestedAt }) => begun(requestedAt, now), drop: 5 },
    { title: "LASTED", of: (run) => formatDuration(lastedMs(run, now)), isRight: true, drop: 2 },
    { title: "HOSTS", of: ({ hosts, of }) => (of === undefined ? `${hosts}` : `${hosts} of ${of}`), isRight: true, drop: 8 },
    { title: "RANKS", of: ({ ranks }) => (ranks === 0 ? "-" : `${ranks}`), isRight: true, drop: 9 },
    { title: "TRY", of: ({ attempt }) => (attempt === 0 ? "-" : `${attempt}`), isRight: true, drop: 7 },
    { title: "COST", of: (run) => dollarsOr(costOf(run, now)), isRight: true, drop: 6 },
    { title: "BY", of: ({ by }) => by, drop: 7, most: 16 },
    { title: "TAGS", of: ({ tags = [] }) => tags.join(","), drop: 6, most: 20 },
    { title: "WHY", of: (run) => span(runWhy(run, now), run.phase === "failed" ? "warn" : "dim"), drop: 3, fills: 26 },
  ];
  const hasCost = runs.some(({ pricePerHour }) => pricePerHour !== undefined);
  const hasTags = runs.some(({ tags = [] }) => tags.length > 0);
  return all.filter(({ title }) => (title !== "COST" || hasCost) && (title !== "TAGS" || hasTags));
}

const dollarsOr = (cost: number | null): string => (cost === null ? "-" : dollars(cost));

function detailOf(run: RunSummary, { now }: Model, { columns }: View): readonly Line[] {
  const why = runWhy(run, now);
  const cost = costOf(run, now);
  return [
    ...labelled(
      "run",
      `${run.name}: ${phaseWord(run)}, ${plural(run.hosts, "host")}${run.ranks === 0 ? "" : `, ${plural(run.ranks, "rank")}`}, attempt ${run.attempt}, asked for by ${run.by} ${formatDuration(now - run.requestedAt)} ago${cost === null ? "" : `, ${dollars(cost)}`}`,
      columns,
      toneOf(run) === "good" ? "plain" : toneOf(run),
    ),
    ...(why === "" ? [] : labelled(run.waitsFor === undefined ? "why" : "waits for", why, columns, run.phase === "failed" ? "bad" : "warn")),
    ...(run.failure === null || !run.failure.includes("\n") ? [] : labelled("", run.failure.split("\n").slice(1).join("\n"), columns)),
    ...(run.file === null ? [] : labelled("file", run.file, columns, "dim")),
    ...((run.tags ?? []).length === 0 ? [] : labelled("tags", (run.tags ?? []).join(", "), columns, "dim")),
    ...labelled("look again", isAlive(run) ? `nexadist attach ${run.run}` : `nexadist status ${run.run}    nexadist logs ${run.run}`, columns, "accent"),
  ];
}
