/** `top`: what hosts and ranks of a run take: CPU, memory, network, disks, GPUs. */

import { isOver } from "../../cluster/run/state.ts";
import { formatDuration } from "../../cluster/view/duration.ts";
import { topLines } from "../../cluster/view/top-table.ts";
import type { Run } from "./commands.ts";
import { lookAtRun } from "./open-run.ts";
import { readSamples } from "./run-readings.ts";
import { columnsOf, watchTable } from "./watch-table.ts";

export const top: Run = async (context, [wanted], options) => {
  const { client, run } = await lookAtRun(context, options, wanted);
  await watchTable(context, async () => {
    const { state, readings, totals } = await readSamples(client, run);
    const isLast = options.watch !== true || isOver(state);
    if (context.json) {
      const hosts = readings.map(({ host, sample, ageMs, why, rates }) => ({ host, ageMs, problem: why === "" ? null : why, sample, rates }));
      context.printJson({ run, phase: state.phase, totals, hosts });
      return { lines: [], isLast };
    }
    const energy = totals.energyKwh === null ? "" : `  ${totals.energyKwh.toFixed(3)} kWh`;
    const taken = totals.gpuHours === 0 ? "" : `  ${totals.gpuHours.toFixed(2)} GPU hours${energy}`;
    const head = `${run}  ${state.phase}  ${formatDuration((state.endedAt ?? Date.now()) - state.requestedAt)}${taken}`;
    return { lines: [head, ...(isOver(state) ? ["this is what its hosts told last"] : []), "", ...topLines(state, readings, Date.now(), columnsOf())], isLast };
  });
  return 0;
};
