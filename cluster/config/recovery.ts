/** What acts for recovery: the defaults, and the keys of the file over them. */

import type { Launcher, RestartSpec, RunSpec, Timeouts } from "../spec.ts";
import type { ClusterFile } from "./schema.ts";
import { durationMs } from "./units.ts";

export const ON_HOST_LOSS = ["wait", "spare", "shrink", "fail"] as const satisfies readonly RestartSpec["onHostLoss"][];
export const ON_HANG = ["report", "restart", "stop"] as const satisfies readonly RestartSpec["onHang"][];

/** Stands in `job.resume_args` for the checkpoint's path. */
export const CHECKPOINT = "{checkpoint}";

/** Two pings of an agent's link; less would call a moment of load a loss. */
export const MIN_SUSPECT_MS = 2000;

export const DETECTION = { suspectMs: 6000, lostMs: 10_000, hangMs: null, firstStepMs: null } as const satisfies Partial<Timeouts>;

/** Trainers are tried again; any other program may do something at each start that must not be done twice. */
export const RESTART: RestartSpec = { max: 3, backoffMs: 2000, onHostLoss: "wait", onHang: "report", stopCodes: [], retryCodes: [] };
export const RESTART_OF_COMMANDS: RestartSpec = { ...RESTART, max: 0 };

/** All of it, for a run that asks for none of it. */
export const RECOVERY = { spares: [], restart: RESTART, resumeArgs: [], seat: null } as const satisfies Partial<RunSpec>;

type Detection = Pick<Timeouts, "suspectMs" | "lostMs" | "hangMs" | "firstStepMs">;

/** A `lost` that nobody names is never shorter than the `suspect` that somebody does. */
export function detectionOf({ suspect, lost, hang, first_step }: NonNullable<ClusterFile["timeouts"]>): Detection {
  const suspectMs = suspect === undefined ? DETECTION.suspectMs : (durationMs(suspect) ?? 0);
  return {
    suspectMs,
    lostMs: lost === undefined ? Math.max(DETECTION.lostMs, suspectMs) : (durationMs(lost) ?? 0),
    hangMs: hang === undefined || hang === "auto" ? DETECTION.hangMs : durationMs(hang),
    firstStepMs: first_step === undefined || first_step === "auto" ? DETECTION.firstStepMs : durationMs(first_step),
  };
}

export function restartOf(restart: NonNullable<ClusterFile["restart"]>, launcher: Launcher): RestartSpec {
  const base = launcher === "command" ? RESTART_OF_COMMANDS : RESTART;
  return {
    max: restart.max ?? base.max,
    backoffMs: restart.backoff === undefined ? base.backoffMs : (durationMs(restart.backoff) ?? 0),
    onHostLoss: restart.on_host_loss ?? base.onHostLoss,
    onHang: restart.on_hang ?? base.onHang,
    stopCodes: restart.stop_codes ?? base.stopCodes,
    retryCodes: restart.retry_codes ?? base.retryCodes,
  };
}
