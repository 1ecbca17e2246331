/** How the training gets on: the step of all steps, loss, rate, what is left, and how they went. While it does not run: why, and what comes next. */

import { isOver, type RunState } from "../../cluster/run/state.ts";
import type { Pace } from "../../cluster/steps/pace.ts";
import { isAllGone } from "../../cluster/view/receipt.ts";
import { standingLines } from "../../cluster/view/standing.ts";
import { summaryLines } from "../../cluster/view/summary.ts";
import { brief, clockSpan, grouped, shortSpan } from "../format.ts";
import { meter, sparkline } from "../glyphs.ts";
import { columnsOf, type Line, line, type Span, span, textOf } from "../line.ts";
import type { RunModel } from "../model.ts";
import { wrapped } from "../panes.ts";
import type { View } from "../screen.ts";

/** No step for so long is told beside it. */
const QUIET_MS = 30_000;

const rateOf = ({ rate }: Pace, world: number): { readonly value: number; readonly unit: string } | null =>
  rate === null ? null : { value: rate.isPerGpu ? rate.value * Math.max(1, world) : rate.value, unit: rate.of === "tokens" ? "tok/s" : "samples/s" };

const lossWords = ({ loss, isLossFinite }: Pace): string => (isLossFinite ? (loss === null ? "" : `loss ${loss.toPrecision(4)}`) : "loss is not a number");
const stepRate = ({ stepMs }: Pace): string =>
  stepMs === null || stepMs <= 0 ? "" : stepMs < 1000 ? `${brief(1000 / stepMs)} steps/s` : `${brief(stepMs / 1000)} s/step`;

/** Rows for a column of its own; as many as there is something to say. */
export function progressLines(run: RunModel, view: View, now: number, isTall: boolean): readonly Line[] {
  const { state, pace } = run;
  const standing = isOver(state) ? endLines(state) : standingLines(state, now);
  const words = standing
    .flatMap((each) => wrapped(each, view.columns - 2, 4))
    .map((each): Line => line(` ${each}`, each.startsWith("next") ? "accent" : "plain"));
  const isPacing = pace !== null && (state.phase === "running" || isOver(state));
  if (!isPacing) return words.length > 0 ? words : [line(` ${waitWords(run)}`, "dim")];
  return [...(isTall ? tallPace(run, pace, view, now) : widePace(run, pace, view, now)), ...words];
}

/** Without the receipts of hosts where nothing is left, and without the commands: they stay in the terminal afterwards. */
function endLines(state: RunState): readonly string[] {
  const lines = summaryLines(state);
  const from = isAllGone(state) ? lines.findIndex((each) => each.startsWith("==>")) : 0;
  return lines.slice(Math.max(0, from), -1).map((each) => each.replace(/^==> /, ""));
}

function waitWords({ state }: RunModel): string {
  if (state.phase === "running") return "no rank has told a step or a loss yet";
  if (state.phase === "stopping") return "the ranks are being ended";
  return "the ranks have not started yet";
}

function quietWords(pace: Pace, run: RunModel, now: number): string {
  return run.state.phase === "running" && now - pace.at > QUIET_MS ? `no step for ${shortSpan(now - pace.at)}` : "";
}

const stepWords = ({ step, total, epoch, isInEpoch }: Pace): string =>
  step === null
    ? epoch === null
      ? ""
      : `epoch ${brief(epoch)}`
    : `step ${grouped(step)}${total === null ? "" : `/${grouped(total)}`}${isInEpoch && epoch !== null ? ` of epoch ${brief(epoch)}` : ""}`;

function widePace(run: RunModel, pace: Pace, { columns, isAscii }: View, now: number): readonly Line[] {
  const rate = rateOf(pace, run.state.world);
  const quiet = quietWords(pace, run, now);
  const rest: Span[] = [
    span(lossWords(pace), pace.isLossFinite ? "plain" : "bad"),
    span(rate === null ? stepRate(pace) : `${brief(rate.value)} ${rate.unit}`),
    span(pace.leftMs === null || isOver(run.state) ? "" : `ETA ${clockSpan(pace.leftMs)}`),
    span(quiet, "warn"),
  ].filter(({ text }) => text !== "");
  const tail = rest.flatMap((each) => [span("  "), each]);
  const head = ` ${stepWords(pace)} `;
  const share = pace.step === null || pace.total === null || pace.total <= 0 ? null : pace.step / pace.total;
  const room = columns - head.length - columnsOf(tail) - 9;
  const bar = share === null || room < 6 ? null : meter(share, Math.min(room, 40), isAscii);
  const first: Line = [
    span(head, "title"),
    ...(bar === null || share === null ? [] : [span(bar.full, "accent"), span(bar.rest, "dim"), span(`${(share * 100).toFixed(1)} %`.padStart(8))]),
    ...tail,
  ];
  return [first, ...sparkLines(run, columns, isAscii)];
}

/** Loss and rate beside each other. */
function sparkLines(run: RunModel, columns: number, isAscii: boolean): readonly Line[] {
  const curves = curvesOf(run);
  if (curves.length === 0) return [];
  const width = Math.floor((columns - 2) / curves.length) - 8;
  return [
    curves.flatMap(({ title, values }) => [span(` ${title.padEnd(6)}`, "dim"), span(sparkline(values, width, isAscii).padEnd(width), "accent"), span(" ")]),
  ];
}

function curvesOf({ trail, state }: RunModel): readonly { readonly title: string; readonly values: readonly number[] }[] {
  const losses = trail.flatMap(({ loss }) => loss ?? []);
  const rates = trail.flatMap((pace) => rateOf(pace, state.world)?.value ?? (pace.stepMs === null || pace.stepMs <= 0 ? [] : 1000 / pace.stepMs));
  const isTokens = trail.some(({ rate }) => rate !== null);
  return [
    ...(losses.length < 2 ? [] : [{ title: "loss", values: losses }]),
    ...(rates.length < 2 ? [] : [{ title: isTokens ? "tok/s" : "step/s", values: rates }]),
  ];
}

function tallPace(run: RunModel, pace: Pace, { columns, isAscii }: View, now: number): readonly Line[] {
  const share = pace.step === null || pace.total === null || pace.total <= 0 ? null : pace.step / pace.total;
  const bar = share === null ? null : meter(share, columns - 11, isAscii);
  const rate = rateOf(pace, run.state.world);
  const { totals } = run;
  const row = (title: string, value: string, tone: Span["tone"] = "plain"): Line[] =>
    value === "" ? [] : [[span(` ${title.padEnd(7)}`, "dim"), span(value, tone)]];
  const quiet = quietWords(pace, run, now);
  return [
    ...row("step", pace.step === null ? "" : `${grouped(pace.step)}${pace.total === null ? "" : ` / ${grouped(pace.total)}`}`, "title"),
    ...(bar === null || share === null
      ? []
      : [[span(" "), span(bar.full, "accent"), span(bar.rest, "dim"), span(`${(share * 100).toFixed(1)} %`.padStart(8))]]),
    ...row("epoch", pace.epoch === null ? "" : brief(pace.epoch)),
    ...row("loss", pace.isLossFinite ? (pace.loss === null ? "" : pace.loss.toPrecision(5)) : "not a number", pace.isLossFinite ? "plain" : "bad"),
    ...row("rate", [rate === null ? "" : `${brief(rate.value)} ${rate.unit}`, stepRate(pace)].filter((each) => each !== "").join(", ")),
    ...row("ETA", pace.leftMs === null || isOver(run.state) ? "" : `${clockSpan(pace.leftMs)}${pace.isInEpoch ? " of the epoch" : ""}`),
    ...row("quiet", quiet, "warn"),
    ...row(
      "taken",
      totals === null || totals.gpuHours === 0
        ? ""
        : `${totals.gpuHours.toFixed(1)} GPU h${totals.energyKwh === null ? "" : `, ${totals.energyKwh.toFixed(1)} kWh`}`,
    ),
    ...curvesOf(run).flatMap(({ title, values }): Line[] => [[span(` ${title.padEnd(7)}`, "dim"), span(sparkline(values, columns - 10, isAscii), "accent")]]),
  ].filter((each) => textOf(each).trim() !== "");
}
