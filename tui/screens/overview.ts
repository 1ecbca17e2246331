/** The first screen: hosts and their GPUs, how training gets on, what is the matter, the last lines. */

import { type Concern, concernsOf } from "../concerns.ts";
import { timeOfDay } from "../format.ts";
import type { ActionId } from "../keys.ts";
import { fitLine, type Line, line, type Span, span } from "../line.ts";
import type { Model, RunModel } from "../model.ts";
import { type HostRow, hostRows } from "../overview/host-row.ts";
import { foldedHosts, type HostTable, hostTable } from "../overview/host-table.ts";
import { progressLines } from "../overview/progress.ts";
import { tailLines } from "../overview/tail.ts";
import { beside, framed, ruled, wrapped } from "../panes.ts";
import type { Screen, View, Wish } from "../screen.ts";
import { actWish } from "../wishes.ts";
import { findingWish, ofConcern } from "./finding.ts";
import { hostDetail } from "./host-detail.ts";
import { shellOn } from "./parts/host-wishes.ts";

const WIDE = 120;
const SORTS = ["rank", "trouble", "use"] as const;

export function createOverviewScreen(): Screen {
  let chosen: string | null = null;
  let chosenConcern: number | null = null;
  let sort: (typeof SORTS)[number] = "rank";
  /** Healthy hosts beside each other, as they were drawn last. */
  let across = 1;

  const rowsOf = (
    run: RunModel,
    concerns: readonly Concern[],
    now: number,
    limit: number,
  ): { readonly full: readonly HostRow[]; readonly folded: readonly HostRow[] } => {
    const rows = sorted(hostRows(run, concerns, now), sort);
    if (rows.length <= limit) return { full: rows, folded: [] };
    const odd = rows.filter(({ isFine }) => !isFine);
    return { full: odd.slice(0, Math.max(1, limit - 3)), folded: [...odd.slice(Math.max(1, limit - 3)), ...rows.filter(({ isFine }) => isFine)] };
  };

  const drawHosts = (run: RunModel, concerns: readonly Concern[], now: number, view: View): readonly Line[] => {
    const { full, folded } = rowsOf(run, concerns, now, view.rows - 1);
    const all = [...full, ...folded];
    if (chosen === null || !all.some(({ name }) => name === chosen)) chosen = all[0]?.name ?? null;
    const mark = chosenConcern === null ? chosen : null;
    const table: HostTable = hostTable(full, all, mark, view);
    if (folded.length === 0) return [table.head, ...table.rows];
    const fold = foldedHosts(folded, view.rows - 1 - full.length, mark, view.columns);
    across = fold.across;
    return [table.head, ...table.rows, ...fold.lines];
  };

  const drawConcerns = (concerns: readonly Concern[], columns: number, rows: number, isWrapped: boolean, now: number): readonly Line[] => {
    if (concerns.length === 0) return [];
    const lines = concerns.flatMap((concern, k): Line[] => {
      const isChosen = chosenConcern === k;
      const tone = concern.severity === "error" ? "bad" : "warn";
      const mark = span(isChosen ? "> " : concern.severity === "error" ? "! " : "* ", isChosen ? "accent" : tone);
      const told = `${concern.text}${concern.code === null ? "" : `  ${concern.code}`}`;
      if (!isWrapped) return [fitLine([span(" "), mark, span(told, tone)], columns)];
      const time = `${timeOfDay(Math.min(concern.since, now))} `;
      return wrapped(time + told, columns - 4, 9).map((text, at): Line => [span(" "), at === 0 ? mark : span("  "), span(text, tone)]);
    });
    return lines.length <= rows ? lines : [...lines.slice(0, rows - 1), line(`   and more: 6 shows all`, "dim")];
  };

  const narrow = (run: RunModel, now: number, view: View): readonly Line[] => {
    const { columns, rows, isAscii } = view;
    const concerns = concernsOf(run.state);
    const progress = progressLines(run, view, now, false).slice(0, rows >= 25 ? 6 : 3);
    const found = drawConcerns(concerns, columns, rows >= 25 ? 5 : Math.min(2, concerns.length), false, now);
    const hosts = drawHosts(run, concerns, now, {
      ...view,
      rows: Math.max(4, Math.min(run.state.spec.hosts.length + 1, rows - progress.length - found.length - 2 - 4)),
    });
    const top = [...hosts, ruled([], columns, isAscii), ...progress, ...found, ruled(tailTitle(run), columns, isAscii)];
    const tail = tailLines(run, rows - top.length);
    return [...top, ...(tail.length > 0 ? tail : eventLines(run, columns, rows - top.length))].slice(0, rows);
  };

  const wide = (run: RunModel, now: number, view: View): readonly Line[] => {
    const { columns, rows, isAscii } = view;
    const concerns = concernsOf(run.state);
    const side = columns >= 160 ? 46 : 40;
    const left = columns - side;
    const most = Math.floor(rows * 0.6);
    const hosts = drawHosts(run, concerns, now, { columns: left - 2, rows: Math.min(most, run.state.spec.hosts.length + 3) - 2, isAscii });
    const high = Math.min(most, Math.max(12, hosts.length + 2));
    const progress = progressLines(run, { columns: side - 2, rows: high - 2, isAscii }, now, true);
    const low = rows - high;
    const events = drawConcerns(concerns, side - 2, low - 2, true, now);
    const happened = eventLines(run, side - 2, low - 2 - events.length);
    const count = run.state.spec.hosts.length;
    return [
      ...beside(
        framed([span("hosts ", "title"), span(`(${count})  by ${sort}`, "dim")], hosts, left, high, isAscii),
        framed([span("progress", "title"), ...who(run)], progress, side, high, isAscii),
        left,
      ),
      ...beside(
        framed(tailTitle(run), tailLines(run, low - 2), left, low, isAscii),
        framed(
          [span("findings and events", "title")],
          [...events, ...(events.length === 0 || happened.length === 0 ? [] : [[]]), ...happened],
          side,
          low,
          isAscii,
        ),
        left,
      ),
    ];
  };

  const move = (by: number, model: Model): Wish | null => {
    const { run, now } = model;
    if (run === null) return null;
    const concerns = concernsOf(run.state);
    if (chosenConcern !== null) {
      chosenConcern = Math.max(0, Math.min(concerns.length - 1, chosenConcern + by));
      return { do: "nothing" };
    }
    const names = drawnNames(run, concerns, now);
    const at = Math.max(0, names.indexOf(chosen ?? ""));
    chosen = names[Math.max(0, Math.min(names.length - 1, at + by))] ?? null;
    return { do: "nothing" };
  };

  /** In the order of the screen: what is folded comes after what is not. */
  const drawnNames = (run: RunModel, concerns: readonly Concern[], now: number): readonly string[] => {
    const rows = sorted(hostRows(run, concerns, now), sort);
    if (across <= 1) return rows.map(({ name }) => name);
    return [...rows.filter(({ isFine }) => !isFine), ...rows.filter(({ isFine }) => isFine)].map(({ name }) => name);
  };

  return {
    id: "overview",
    title: "Overview",
    actions: ["down", "up", "open", "pane", "restart", "stop", "sort", "exclude", "shell", "diag", "detach"],
    draw: (model, view) => {
      if (model.run === null) return [[], line("   no run is watched here: 7 shows the runs, enter opens one", "dim")];
      across = 1;
      return (view.columns >= WIDE ? wide : narrow)(model.run, model.now, view);
    },
    act: (action: ActionId, model, view): Wish | null => {
      const { run } = model;
      if (run === null) return null;
      const concerns = concernsOf(run.state);
      switch (action) {
        case "down":
        case "up":
          return move(action === "down" ? 1 : -1, model);
        case "right":
        case "left":
          return move(action === "right" ? 1 : -1, model);
        case "page-down":
        case "page-up":
          return move((action === "page-down" ? 1 : -1) * Math.max(1, view.rows - 2), model);
        case "first":
        case "last":
          return move(action === "first" ? -1e9 : 1e9, model);
        case "pane":
          chosenConcern = chosenConcern === null && concerns.length > 0 ? 0 : null;
          return { do: "nothing" };
        case "sort":
          sort = SORTS[(SORTS.indexOf(sort) + 1) % SORTS.length] ?? "rank";
          return { do: "say", text: `hosts by ${sort}` };
        case "open": {
          const concern = concerns[chosenConcern ?? -1];
          if (concern !== undefined) return findingWish(ofConcern(concern));
          return chosen === null ? null : hostDetail(chosen);
        }
        case "copy":
          return chosen === null ? null : { do: "copy", text: concerns[chosenConcern ?? -1]?.text ?? chosen };
        case "exclude":
        case "spare": {
          if (chosen === null) return null;
          const title = action === "exclude" ? `exclude ${chosen} from ${run.id}?` : `take a spare in place of ${chosen}?`;
          return actWish(run, { do: action === "exclude" ? "exclude" : "take-spare", host: chosen }, title);
        }
        case "shell":
          return chosen === null ? null : shellOn(run, chosen);
        default:
          return null;
      }
    },
    show: ({ host }) => {
      if (host !== undefined) chosen = host;
    },
  };
}

function sorted(rows: readonly HostRow[], by: (typeof SORTS)[number]): readonly HostRow[] {
  if (by === "rank") return rows;
  const least = (row: HostRow): number => Math.min(101, ...row.gpus.map(({ use }) => use ?? 101));
  return [...rows].sort((a, b) => (by === "trouble" ? Number(a.isFine) - Number(b.isFine) : least(a) - least(b)));
}

const tailTitle = ({ state }: RunModel): readonly Span[] => [
  span("logs", "title"),
  span(`  all ranks${state.attempt === 0 ? "" : `, attempt ${state.attempt}`}  following`, "dim"),
];
const who = ({ pace }: RunModel): readonly Span[] => (pace === null ? [] : [span(` (rank ${pace.rank})`, "dim")]);

/** The latest of what happened, oldest of them first. */
function eventLines({ events }: RunModel, columns: number, rows: number): readonly Line[] {
  const lines: Line[] = [];
  for (let k = events.length - 1; k >= 0 && lines.length < rows; k -= 1) {
    const told = events[k];
    if (told === undefined || told.lines.length === 0) continue;
    const texts = told.lines.flatMap((text) => wrapped(text.replace(/^==> /, "").trim(), columns - 11));
    const time = timeOfDay(told.event.at);
    lines.unshift(...texts.map((text, at): Line => [span(at === 0 ? ` ${time} ` : " ".repeat(10), "dim"), span(text)]));
  }
  return lines.slice(-Math.max(0, rows));
}
