/** `gpus`: every GPU of a run's hosts, or of bare hosts of the cluster file where no run is alive there. */

import { isOver, type RunState } from "../../cluster/run/state.ts";
import { formatDuration } from "../../cluster/view/duration.ts";
import { gpuLines } from "../../cluster/view/gpu-table.ts";
import type { HostReading } from "../../cluster/view/host-telemetry.ts";
import type { RunSummary } from "../../cluster/viewer.ts";
import { readBare } from "./bare-gpus.ts";
import type { Client } from "./client.ts";
import type { Options, Run } from "./commands.ts";
import type { Context } from "./context.ts";
import { findController } from "./find-controller.ts";
import { fileHere, findRun, listRuns } from "./known-run.ts";
import { loadHosts } from "./load-cluster.ts";
import { lookAtRun, lookWhereLed } from "./open-run.ts";
import { readSamples } from "./run-readings.ts";
import { columnsOf, type Drawn, watchTable } from "./watch-table.ts";

export const gpus: Run = async (context, [wanted], options) => {
  const { client, run } = typeof wanted === "string" ? await lookAtRun(context, options, wanted) : await openLive(context, options);
  const { hosts } = run === null ? loadHosts(context, undefined, options) : { hosts: [] };
  if (run === null) context.say(`no run of this machine is alive there: asking nvidia-smi on ${hosts.length} host${hosts.length === 1 ? "" : "s"}`);
  const draw = async (): Promise<Drawn> => {
    if (run === null) return { lines: show(context, null, await readBare(context, hosts, options), null), isLast: options.watch !== true };
    const { state, readings, totals } = await readSamples(client, run);
    return { lines: show(context, state, readings, totals), isLast: options.watch !== true || isOver(state) };
  };
  await watchTable(context, draw);
  return 0;
};

async function openLive(context: Context, options: Options): Promise<{ readonly client: Client; readonly run: string | null }> {
  const client = await findController(context, options);
  const found = await liveRun(client, context);
  return found === null ? { client, run: null } : lookWhereLed(context, options, client, found);
}

/** The latest that is alive, of the file that -c names where it names one; null: none, and bare hosts are asked. Errors: NO_RUN where there is no file either. */
async function liveRun(client: Client, context: Context): Promise<RunSummary | null> {
  const file = context.cluster === undefined ? null : fileHere(context);
  const alive = (await listRuns(client, false)).filter((run) => run.endedAt === null && (file === null || run.file === file));
  const [latest] = [...alive].sort((a, b) => b.requestedAt - a.requestedAt);
  if (latest !== undefined) return latest;
  return fileHere(context) === null ? findRun(client, context, undefined) : null;
}

function show(context: Context, state: RunState | null, readings: readonly HostReading[], totals: object | null): readonly string[] {
  const now = Date.now();
  if (context.json) {
    const hosts = readings.map(({ host, sample, ageMs, why, ranks }) => ({
      host,
      ageMs,
      problem: why === "" ? null : why,
      sample,
      ranks: Object.fromEntries([...ranks].map(([pid, rank]) => [rank, pid])),
    }));
    context.printJson({ run: state?.spec.run ?? null, phase: state?.phase ?? null, totals, hosts });
    return [];
  }
  const head =
    state !== null && isOver(state) ? [`${state.spec.run} ended ${formatDuration(now - (state.endedAt ?? now))} ago; this is what its hosts told last`] : [];
  const lines = gpuLines(readings, now, columnsOf());
  return [...head, ...(lines.length === 0 ? ["no GPU is known"] : lines)];
}
