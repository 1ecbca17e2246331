/** Answers `samples`: what the hosts of a run told last, or all that is kept since a time; live or ended. */

import type { Request, SamplesAnswer } from "../../../cluster/viewer.ts";
import { runDir } from "../../paths.ts";
import { type Asked, tellAndWait } from "../asked.ts";
import type { Runs } from "../runs.ts";
import { readHistory, readNow, readRunTotals, telemetryDir } from "./run-telemetry.ts";

/** Whoever asks every second for a rate costs no disk. */
const RECENT_MS = 15_000;

/** Errors: NO_RUN. */
export async function answerSamples(runs: Runs, { run, since }: Request & { ask: "samples" }, asked: Asked): Promise<SamplesAnswer> {
  const { state } = runs.find(run);
  const dir = telemetryDir(runDir(run));
  const live = runs.live.get(run)?.telemetry;
  const points = since === null ? [] : live !== undefined && since > Date.now() - RECENT_MS ? live.recent() : readHistory(dir, since);
  for (const { host, point } of points) if (!(await tellAndWait(asked, { kind: "sample", host, point }))) break;
  return { state, now: Date.now(), hosts: live?.now() ?? readNow(dir), totals: live?.totals() ?? readRunTotals(dir) };
}
