/** How the training gets on, in a line. */

import type { Pace } from "../steps/pace.ts";
import { formatDuration } from "./duration.ts";

/** "": nothing is known. `world`: ranks, for rates that a trainer tells of one GPU. */
export function paceWords(pace: Pace | null, world: number): string {
  if (pace === null) return "";
  const { step, total, epoch, isInEpoch, loss, isLossFinite, stepMs, rate, leftMs } = pace;
  const parts = [
    step === null ? "" : `step ${step}${total === null ? "" : ` of ${total}`}${isInEpoch && epoch !== null ? ` in epoch ${epoch}` : ""}`,
    epoch === null || isInEpoch ? "" : `epoch ${brief(epoch)}`,
    isLossFinite ? (loss === null ? "" : `loss ${brief(loss)}`) : "loss is not a number",
    stepMs === null ? "" : stepMs < 1000 ? `${brief(1000 / stepMs)} steps/s` : `${brief(stepMs / 1000)} s a step`,
    rate === null ? "" : `${brief(rate.isPerGpu ? rate.value * world : rate.value)} ${rate.of}/s`,
    leftMs === null || leftMs < 500 ? "" : `${formatDuration(leftMs)} left${isInEpoch ? " of the epoch" : ""}`,
  ];
  return parts.filter((part) => part !== "").join(", ");
}

/** For machines, as the manifest has it. */
export const paceJson = (pace: Pace | null, world: number): object | null =>
  pace === null
    ? null
    : {
        step: pace.step,
        steps: pace.isInEpoch ? null : pace.total,
        epoch: pace.epoch,
        loss: pace.loss,
        steps_per_second: pace.stepMs === null || pace.stepMs === 0 ? null : 1000 / pace.stepMs,
        tokens_per_second: ofKind(pace, "tokens", world),
        samples_per_second: ofKind(pace, "samples", world),
      };

const ofKind = ({ rate }: Pace, of: "tokens" | "samples", world: number): number | null =>
  rate?.of !== of ? null : rate.isPerGpu ? rate.value * world : rate.value;

/** Four digits that count. */
function brief(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 1000) return String(Math.round(value));
  return String(Number(value.toPrecision(4)));
}
