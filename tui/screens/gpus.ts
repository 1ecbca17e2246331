/** Every GPU of every host: one number of each to compare, and all of the chosen one, with who uses it. */

import { formatDuration } from "../../cluster/view/duration.ts";
import { gpusOf, type HostReading, isStale, troubleOf } from "../../cluster/view/host-telemetry.ts";
import { plural, rankSpan } from "../format.ts";
import type { ActionId } from "../keys.ts";
import { type Line, type Span, span } from "../line.ts";
import type { Model, RunModel } from "../model.ts";
import { apart, ruled } from "../panes.ts";
import type { Screen, View, Wish } from "../screen.ts";
import { actWish } from "../wishes.ts";
import { copyOf, type GpuHost, gpuDetail, hostGpus, ranksOn } from "./gpu-detail.ts";
import { METRICS, type Metric, oddities, type Peers, peerOf, peersOf } from "./gpu-metrics.ts";
import { hostDetail } from "./host-detail.ts";
import { finish } from "./parts/finish.ts";
import { shellOn } from "./parts/host-wishes.ts";
import { createPicker } from "./parts/picker.ts";
import { sparkOn } from "./parts/spark.ts";
import { type Column, drawTable } from "./parts/table.ts";
import { NO_RUN, nothing } from "./parts/words.ts";

const SORTS = ["host", "worst first", "lowest first", "highest first"] as const;
/** Of GPUs in the grid: as many as a row has room for. */
const CELL = 6;

export function createGpusScreen(): Screen {
  const hosts = createPicker();
  let gpu = 0;
  let metricIndex = 0;
  let sort: (typeof SORTS)[number] = "host";
  let page = 10;

  const metricNow = (): Metric => METRICS[metricIndex] ?? METRICS[0];
  const look = (run: RunModel, now: number): { rows: readonly GpuHost[]; peers: Peers } => {
    const peers = peersOf(run.readings);
    const rows = run.readings.map((reading): GpuHost => {
      const gpus = reading.sample === null || isStale(reading) ? [] : gpusOf(reading.sample);
      return { reading, gpus, odd: gpus.map((each) => oddities(each.gpu, peers)), trouble: troubleWords(run, reading, now) };
    });
    return { rows: sorted(rows, sort, metricNow()), peers };
  };
  const chosenOf = (rows: readonly GpuHost[]): GpuHost | undefined => rows[hosts.at(rows.map(({ reading }) => reading.host))];

  const draw = (model: Model, view: View): readonly Line[] => {
    const { run } = model;
    if (run === null) return finish(NO_RUN, view);
    const { rows, peers } = look(run, model.now);
    if (rows.length === 0) return finish(nothing("This run has no hosts."), view);
    const metric = metricNow();
    const count = rows.reduce((sum, { gpus }) => sum + gpus.length, 0);
    if (count === 0 && rows.every(({ trouble }) => trouble === "")) return finish(nothing("No GPU is known on these hosts."), view);
    const keys = rows.map(({ reading }) => reading.host);
    const chosen = chosenOf(rows);
    const most = Math.max(1, ...rows.map(({ gpus }) => gpus.length));
    gpu = Math.max(0, Math.min(gpu, (chosen?.gpus.length ?? 1) - 1));
    const detail = chosen === undefined ? [] : gpuDetail(run, chosen, gpu, metric, peers, view);
    const least = Math.min(rows.length, Math.max(3, Math.floor(view.rows * 0.4)));
    const height = Math.max(1, Math.min(rows.length, Math.max(least, view.rows - 3 - detail.length)));
    page = height;
    const top = hosts.top(keys, height);
    const grid = drawTable({
      columns: columnsOf({ run, metric, peers, gpu, chosen, most, view }),
      rows,
      chosen: hosts.at(keys),
      top,
      height,
      width: view.columns,
      isAscii: view.isAscii,
    });
    const more = rows.length > height ? `, ${top + 1}-${top + height} of ${rows.length}` : "";
    const words = `${plural(count, "GPU")}, ${plural(rows.length, "host")}${sort === "host" ? "" : `, ${sort}`}${more} `;
    const others = chosen === undefined ? [] : hostGpus(run, chosen, gpu, metric, view, view.rows - 4 - height - detail.length);
    return finish(
      [
        apart(metricBar(metric, view.columns - words.length), [span(words, "dim")], view.columns),
        ...grid,
        ruled([], view.columns, view.isAscii),
        ...detail,
        ...(others.length === 0 ? [] : [[], ...others]),
      ],
      view,
    );
  };

  return {
    id: "gpus",
    title: "GPUs",
    actions: ["metric", "sort", "open", "shell", "exclude"],
    draw,
    act: (action: ActionId, { run, now }: Model): Wish | null => {
      if (run === null) return null;
      const { rows } = look(run, now);
      const row = chosenOf(rows);
      if (
        hosts.move(
          action,
          rows.map(({ reading }) => reading.host),
          page,
        )
      )
        return { do: "nothing" };
      switch (action) {
        case "left":
        case "right":
          gpu = Math.max(0, Math.min(gpu + (action === "left" ? -1 : 1), (row?.gpus.length ?? 1) - 1));
          return { do: "nothing" };
        case "metric":
          metricIndex = (metricIndex + 1) % METRICS.length;
          return { do: "nothing" };
        case "sort":
          sort = SORTS[(SORTS.indexOf(sort) + 1) % SORTS.length] ?? "host";
          hosts.reset();
          return { do: "say", text: `sorted: ${sort}` };
        case "open":
          return row === undefined ? null : hostDetail(row.reading.host);
        case "copy":
          return row === undefined ? null : { do: "copy", text: copyOf(row, gpu) };
        case "shell":
          return row === undefined ? null : shellOn(run, row.reading.host);
        case "exclude":
          return row === undefined ? null : actWish(run, { do: "exclude", host: row.reading.host }, `go on without ${row.reading.host}?`);
        default:
          return null;
      }
    },
    show: ({ host, rank }, { run }) => {
      const where = host ?? (rank === undefined ? undefined : run?.state.ranks[rank]?.host);
      if (where !== undefined) hosts.choose(where);
      const reading = run?.readings.find((one) => one.host === where);
      const at = rank === undefined || !reading?.sample ? -1 : gpusOf(reading.sample).findIndex((each) => ranksOn(reading, each).includes(rank));
      if (at >= 0) gpu = at;
    },
  };
}

/** All metrics, the chosen one told apart by more than its colour. */
function metricBar(chosen: Metric, columns: number): Line {
  const all = METRICS.flatMap((metric): Span[] =>
    metric === chosen ? [span(` [${metric.title} ${metric.unit}]`, "title")] : [span(` ${metric.title}`, "dim")],
  );
  const width = all.reduce((sum, { text }) => sum + text.length, 0);
  return width <= columns ? all : [span(` ${chosen.title}, ${chosen.unit}`, "title"), span("  m the next", "dim")];
}

function troubleWords({ state, doing }: RunModel, reading: HostReading, now: number): string {
  const lost = state.hosts[reading.host]?.lost;
  if (lost == null && reading.ageMs !== null && reading.sample !== null && isStale(reading)) return `silent for ${formatDuration(reading.ageMs)}`;
  const words = reading.sample === null && lost == null ? (doing.get(reading.host) ?? troubleOf(reading, now)) : troubleOf(reading, now);
  return lost != null && !words.includes("lost") ? `it is lost${words === "" ? "" : `; ${words}`}` : words;
}

const meanOf = ({ gpus }: GpuHost, metric: Metric): number | undefined => {
  const known = gpus.flatMap(({ gpu }) => metric.of(gpu) ?? []);
  return known.length === 0 ? undefined : known.reduce((sum, one) => sum + one, 0) / known.length;
};

function sorted(rows: readonly GpuHost[], by: (typeof SORTS)[number], metric: Metric): readonly GpuHost[] {
  if (by === "host") return rows;
  const bad = ({ odd, trouble }: GpuHost): number => odd.reduce((sum, words) => sum + words.length, 0) + (trouble === "" ? 0 : 100);
  if (by === "worst first") return [...rows].sort((a, b) => bad(b) - bad(a));
  const sign = by === "lowest first" ? 1 : -1;
  const means = new Map(rows.map((row) => [row, meanOf(row, metric)]));
  // What is not known comes last either way.
  return [...rows].sort((a, b) => sign * ((means.get(a) ?? sign * 1e12) - (means.get(b) ?? sign * 1e12)));
}

type Grid = {
  readonly run: RunModel;
  readonly metric: Metric;
  readonly peers: Peers;
  readonly gpu: number;
  readonly chosen: GpuHost | undefined;
  readonly most: number;
  readonly view: View;
};

function columnsOf({ run, metric, peers, gpu, chosen, most, view }: Grid): readonly Column<GpuHost>[] {
  const room = Math.max(1, Math.floor((view.columns - 2 - 18 - 24) / CELL));
  const shown = Math.min(most, Math.max(view.columns >= 80 ? 8 : 1, room));
  const from = Math.max(0, Math.min(gpu - shown + 1, most - shown));
  const cells = Array.from({ length: shown }, (_, k): Column<GpuHost> => {
    const at = from + k;
    return {
      title: `${at} `,
      isRight: true,
      isTight: true,
      drop: at === gpu ? 2 : 3,
      of: (row) => cellOf(row, at, metric, peers, row === chosen && at === gpu),
    };
  });
  return [
    { title: "HOST", of: ({ reading }) => reading.host, drop: 0, most: 20 },
    { title: "RANKS", of: ({ reading }) => rankSpan([...reading.ranks.values()]) || "-", drop: 4, most: 12 },
    ...cells,
    ...(view.columns < 110 ? [] : [trendColumn(run, metric, view)]),
    { title: "WHAT", of: (row) => noteOf(row), drop: 1, fills: 8 },
  ];
}

function cellOf({ gpus, odd }: GpuHost, at: number, metric: Metric, peers: Peers, isChosen: boolean): Span {
  const each = gpus[at];
  if (each === undefined) return span(".", "dim");
  const { gpu, processes } = each;
  const isOdd = gpu.down !== undefined || metric.odd(gpu, peerOf(peers, gpu, metric)) !== null;
  const isShared = processes.some(({ owner }) => owner === "foreign");
  const mark = isOdd ? "!" : isShared ? "+" : (odd[at]?.length ?? 0) > 0 ? "'" : "";
  const word = gpu.down === undefined ? metric.cell(gpu) : "gone";
  const text = `${isChosen ? ">" : " "}${word}${mark || " "}`;
  return span(text, isOdd ? "bad" : isShared || mark === "'" ? "warn" : "plain");
}

function trendColumn(run: RunModel, metric: Metric, { columns, isAscii }: View): Column<GpuHost> {
  const width = columns >= 160 ? 40 : 20;
  return {
    title: `${metric.title.toUpperCase()} LATELY`,
    drop: 5,
    of: (row) => {
      const [first] = row.gpus;
      if (first === undefined) return "";
      const [least, most] = metric.scale(first.gpu);
      const values = (run.history.get(row.reading.host) ?? []).map(({ sample }) => {
        const known = Object.values(sample.gpus).flatMap((each) => metric.of(each) ?? []);
        return known.length === 0 ? undefined : known.reduce((sum, one) => sum + one, 0) / known.length;
      });
      return span(sparkOn(values, width, least, most, isAscii), "accent");
    },
  };
}

function noteOf({ gpus, odd, trouble }: GpuHost): Span {
  if (trouble !== "") return span(trouble, "bad");
  const words = gpus.flatMap(({ gpu, processes }, k) => {
    const own = [...(odd[k] ?? []), ...(processes.some(({ owner }) => owner === "foreign") ? ["not ours too"] : [])];
    return own.length === 0 ? [] : [`${gpu.index ?? k}: ${own.join(", ")}`];
  });
  return words.length === 0 ? span(gpus.length === 0 ? "no GPU" : "", "dim") : span(words.join("; "), "warn");
}
