/** Runs that were driven and whose journal cannot be read from its first line on: only their hosts know of them now. */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fail, type NexaError } from "../../cluster/errors.ts";
import { type RunPhase, TERMINAL } from "../../cluster/run/state.ts";
import type { RunSummary } from "../../cluster/viewer.ts";
import { runDir } from "../paths.ts";
import { journalOf } from "./journal.ts";

type Manifest = Readonly<Record<string, unknown>>;

/** null: the run was never driven here. A directory without a manifest is what an `up` that was killed at once has left. */
export function journalLost(run: string): NexaError | null {
  if (!existsSync(join(runDir(run), "manifest.json"))) return null;
  const { file } = manifestIn(run);
  return fail("JOURNAL_LOST", { run, path: journalOf(runDir(run)), file: typeof file === "string" ? file : "FILE" });
}

/** For the list of runs; null: it was never driven here, or it is over as far as anything here says. */
export function lostRun(run: string): RunSummary | null {
  const problem = journalLost(run);
  const manifest = manifestIn(run);
  return problem === null || TERMINAL.has(manifest.status as RunPhase) ? null : summaryOf(run, manifest, problem);
}

function summaryOf(run: string, manifest: Manifest, problem: NexaError): RunSummary {
  const { name, file, world_size, requested_at, hardware } = manifest;
  return {
    run,
    name: typeof name === "string" ? name : run,
    phase: "recovering",
    hosts: Array.isArray(hardware) ? hardware.length : 0,
    ranks: Number(world_size ?? 0),
    attempt: 0,
    requestedAt: typeof requested_at === "string" ? Date.parse(requested_at) : 0,
    endedAt: null,
    file: typeof file === "string" ? file : null,
    by: "",
    failure: `${problem.message}; ${problem.hint}`,
  };
}

function manifestIn(run: string): Manifest {
  try {
    const found: unknown = JSON.parse(readFileSync(join(runDir(run), "manifest.json"), "utf8"));
    return typeof found === "object" && found !== null ? (found as Manifest) : {};
  } catch {
    return {};
  }
}
