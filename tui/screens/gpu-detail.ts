/** All of one GPU: every number beside its peers and lately, who uses it; and all GPUs of its host, where there is room. */

import { findingOf } from "../../cluster/findings/catalogue.ts";
import type { Point } from "../../cluster/telemetry/sample.ts";
import { stateOf } from "../../cluster/view/gpu-table.ts";
import { type GpuLine, gib, type HostReading } from "../../cluster/view/host-telemetry.ts";
import { type Line, line, span } from "../line.ts";
import type { RunModel } from "../model.ts";
import type { View } from "../screen.ts";
import { METRICS, type Metric, type Peers, peerOf } from "./gpu-metrics.ts";
import { sparkOn } from "./parts/spark.ts";
import { drawTable } from "./parts/table.ts";

/** A host of the grid. `odd`: of each GPU what differs from its peers. `trouble`: why its numbers are not there; "": nothing. */
export type GpuHost = {
  readonly reading: HostReading;
  readonly gpus: readonly GpuLine[];
  readonly odd: readonly (readonly string[])[];
  readonly trouble: string;
};

export const ranksOn = ({ ranks }: HostReading, { processes }: GpuLine): readonly number[] => processes.flatMap(({ pid }) => ranks.get(pid) ?? []);

export function gpuDetail(run: RunModel, row: GpuHost, at: number, chosen: Metric, peers: Peers, view: View): readonly Line[] {
  const { reading, gpus, odd, trouble } = row;
  const each = gpus[at];
  if (each === undefined) return [line(` ${reading.host}: ${trouble === "" ? "no GPU is known here" : trouble}`, trouble === "" ? "plain" : "bad")];
  const { gpu, uuid, processes } = each;
  const ranks = ranksOn(reading, each);
  const words = odd[at] ?? [];
  const spark = Math.max(0, Math.min(60, view.columns - 58));
  const history = run.history.get(reading.host) ?? [];
  const numbers = METRICS.map((metric): Line => {
    const peer = peerOf(peers, gpu, metric);
    const isOdd = metric.odd(gpu, peer) !== null;
    return [
      span(` ${metric === chosen ? ">" : " "}${metric.title.padEnd(12)}`, metric === chosen ? "title" : "dim"),
      span(`${isOdd ? "!" : " "}${metric.full(gpu).padEnd(28).slice(0, 28)}`, isOdd ? "bad" : "plain"),
      span(`${peer === undefined ? "" : `peers ${peer.toFixed(0)}`}`.padEnd(12), "dim"),
      span(sparkOn(valuesOf(history, uuid, metric), spark, ...metric.scale(gpu), view.isAscii), "accent"),
    ];
  });
  const finding = (run.state.findings ?? []).find((one) => one.gpu === uuid && one.until === null);
  return [
    [
      span(` GPU ${gpu.index ?? at} of ${reading.host}`, "title"),
      span(`  ${gpu.name ?? "of unknown kind"}  ${ranks.length === 0 ? "no process of this run is seen on it" : ranks.map((rank) => `r${rank}`).join(",")}  `),
      span(words.length > 0 ? words.join(", ") : stateOf(gpu), words.length > 0 || stateOf(gpu) !== "ok" ? "warn" : "good"),
    ],
    ...(finding === undefined ? [] : [line(` ! ${finding.text} (${findingOf(finding.code)?.title ?? finding.code})`, "warn")]),
    ...numbers,
    ...(processes.length === 0 ? [line("  processes    none that can be seen", "dim")] : processes.map((process, k) => processLine(reading, process, k === 0))),
  ];
}

const valuesOf = (history: readonly Point[], uuid: string, metric: Metric): readonly (number | undefined)[] =>
  history.map(({ sample }) => {
    const gpu = sample.gpus[uuid];
    return gpu === undefined ? undefined : metric.of(gpu);
  });

function processLine({ ranks }: HostReading, process: GpuLine["processes"][number], isFirst: boolean): Line {
  const { pid, user, name, memoryMiB, owner, run } = process;
  const rank = ranks.get(pid);
  const whose =
    owner === "ours"
      ? rank === undefined
        ? `ours${run === undefined ? "" : ` (${run})`}`
        : `r${rank}`
      : owner === "foreign"
        ? "NOT OURS"
        : "whose cannot be told";
  return [
    span(`  ${(isFirst ? "processes" : "").padEnd(12)} `, "dim"),
    span(`${whose}  PID ${pid}  ${user ?? "unknown user"}  ${gib(memoryMiB)} GiB  ${name ?? ""}`, owner === "ours" ? "plain" : "warn"),
  ];
}

export function copyOf({ reading, gpus }: GpuHost, at: number): string {
  const each = gpus[at];
  return each === undefined
    ? reading.host
    : `${reading.host} GPU ${each.gpu.index ?? at} ${each.uuid} ${METRICS.map((metric) => `${metric.title} ${metric.full(each.gpu)}`).join(", ")}`;
}

/** Where there is room: the chosen one among the others of its host. */
export function hostGpus(
  run: RunModel,
  { reading, gpus, odd }: GpuHost,
  at: number,
  metric: Metric,
  { columns, isAscii }: View,
  height: number,
): readonly Line[] {
  if (height < 5 || gpus.length < 2) return [];
  const history = run.history.get(reading.host) ?? [];
  const width = Math.max(10, Math.min(60, columns - 90));
  const cell = (title: string) => METRICS.find((one) => one.title === title) ?? metric;
  const of = (title: string) => (row: GpuLine) => cell(title).cell(row.gpu);
  return [
    line(` all of ${reading.host}`, "title"),
    ...drawTable<GpuLine>({
      columns: [
        { title: "GPU", of: ({ gpu }) => `${gpu.index ?? "?"}`, isRight: true, drop: 0 },
        {
          title: "RANK",
          of: (row) =>
            ranksOn(reading, row)
              .map((rank) => `r${rank}`)
              .join(",") || "-",
          drop: 0,
        },
        { title: "USE %", of: of("use"), isRight: true, drop: 0 },
        { title: "GiB", of: of("memory"), isRight: true, drop: 1 },
        { title: "W", of: of("power"), isRight: true, drop: 1 },
        { title: "C", of: of("temperature"), isRight: true, drop: 1 },
        { title: "MHz", of: of("clock"), isRight: true, drop: 2 },
        {
          title: `${metric.title.toUpperCase()} LATELY`,
          of: ({ gpu, uuid }) => span(sparkOn(valuesOf(history, uuid, metric), width, ...metric.scale(gpu), isAscii), "accent"),
          drop: 3,
        },
        { title: "STATE", of: (row) => wordsOf(row, odd[gpus.indexOf(row)] ?? []), drop: 2, fills: 12 },
      ],
      rows: gpus,
      chosen: at,
      top: Math.max(0, at - (height - 3)),
      height: height - 2,
      width: columns,
      isAscii,
    }),
  ];
}

function wordsOf({ gpu, processes }: GpuLine, odd: readonly string[]) {
  const state = stateOf(gpu);
  const words = [...odd, ...(state === "ok" ? [] : [state]), ...(processes.some(({ owner }) => owner === "foreign") ? ["not ours too"] : [])];
  return words.length === 0 ? span("ok", "dim") : span(words.join(", "), "warn");
}
