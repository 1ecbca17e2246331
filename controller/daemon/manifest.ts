/** manifest.json of a run: the fields of the users' own schema, from the run's state. Durable: a journal that lost its end is told by it that the run is over. */

import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findingWords } from "../../cluster/run/preflight.ts";
import { membersOf, type RunState } from "../../cluster/run/state.ts";
import type { Job } from "../../cluster/spec.ts";
import type { Pace } from "../../cluster/steps/pace.ts";
import { costOf } from "../../cluster/telemetry/cost.ts";
import type { RunTotals } from "../../cluster/telemetry/totals.ts";
import { paceJson } from "../../cluster/view/pace-words.ts";
import { readRunTotals, telemetryDir } from "./telemetry/run-telemetry.ts";

export function manifestOf(state: RunState, logs: string, training: unknown, totals: RunTotals): Record<string, unknown> {
  const { spec } = state;
  return {
    schema: 1,
    run_id: spec.run,
    stage: spec.run.replace(/_\d{8}_\d{6}.*$/, ""),
    status: state.phase,
    model: null,
    dataset: null,
    checkpoint: spec.paths.checkpoints ?? null,
    logs,
    eval_report: null,
    hardware: membersOf(state).map((h) => ({
      host: h.name,
      /** Those that are the run's. */
      gpus: h.facts?.gpus?.filter(({ uuid }) => h.claim?.includes(uuid) ?? true).map((gpu) => gpu.name) ?? [],
      cpus: h.facts?.cpus ?? null,
      memory_bytes: h.facts?.memoryBytes ?? null,
    })),
    cost_usd: costOf(state, Date.now()),
    gpu_hours: rounded(totals.gpuHours),
    energy_kwh: rounded(totals.energyKwh),
    /** Of the GPU hours, those whose power is known. */
    energy_measured_share: rounded(totals.measuredShare),
    tags: spec.tags,
    name: spec.name,
    file: spec.file,
    launcher: spec.launcher,
    job: describeJob(spec.job),
    world_size: state.world,
    training,
    findings: (state.findings ?? []).map(({ key, ...found }) => found),
    forced: spec.isForced === true,
    preflight: state.preflight?.findings.map((found) => `${found.status}: ${findingWords(found)}`) ?? null,
    requested_at: new Date(state.requestedAt).toISOString(),
    ended_at: state.endedAt === null ? null : new Date(state.endedAt).toISOString(),
    failure: state.failure === null ? null : { text: state.failure.text, host: state.failure.host, rank: state.failure.rank },
    receipts: Object.fromEntries(membersOf(state).map((h) => [h.name, h.receipt])),
    logs_incomplete: state.logsIncomplete,
  };
}

export function describeJob(job: Job): string {
  if (job.kind === "smoke") return "the bundled smoke trainer";
  if (job.kind === "command") return job.argv.join(" ");
  return [job.kind === "script" ? job.script : `-m ${job.module}`, ...job.args].join(" ");
}

const rounded = (value: number | null): number | null => (value === null ? null : Number(value.toPrecision(6)));

/** `pace` null: what was known before is kept; a controller that was started again has heard nothing yet. */
export function writeManifest(dir: string, state: RunState, pace: Pace | null = null, totals = readRunTotals(telemetryDir(dir))): void {
  const path = join(dir, "manifest.json");
  const manifest = manifestOf(state, join(dir, "logs"), paceJson(pace, state.world) ?? trainingIn(path), totals);
  writeFileSync(`${path}.tmp`, `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600, flush: true });
  renameSync(`${path}.tmp`, path);
}

/** A disk that is full keeps nobody from going on. */
export function keepManifest(dir: string, state: RunState, pace: Pace | null, totals: RunTotals, tell: (text: string) => void): void {
  try {
    writeManifest(dir, state, pace, totals);
  } catch (error) {
    tell(`manifest.json cannot be written in ${dir}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function trainingIn(path: string): unknown {
  try {
    return (JSON.parse(readFileSync(path, "utf8")) as { training?: unknown }).training ?? null;
  } catch {
    return null; // the first one
  }
}
