/** Findings of a run from the samples of its hosts and the steps of its ranks: what lasts is told once, and once that it is over. Pure. */

import { type AboutRun, aboutHost, aboutRun, type RankTimes, type RunNow } from "./about.ts";
import { type Rule, type RunFinding, watchConditions } from "./condition.ts";
import { baseOf, detectGpus, type GpuBase } from "./detect-gpu.ts";
import { detectHost, type HostHistory, noHistory } from "./detect-host.ts";
import { detectRanks } from "./detect-rank.ts";
import type { Sample } from "./sample.ts";

const S = 1000;
export const RULES: Readonly<Record<string, Rule>> = {
  STRAGGLER: { forMs: 60 * S, clearMs: 120 * S },
  GPU_TOO_HOT: { forMs: 30 * S, clearMs: 120 * S },
  GPU_POWER_BRAKE: { forMs: 15 * S, clearMs: 120 * S },
  GPU_IDLE: { forMs: 180 * S, clearMs: 30 * S },
  GPU_SPINS: { forMs: 120 * S, clearMs: 30 * S },
  GPU_MEMORY_FULL: { forMs: 60 * S, clearMs: 120 * S },
  HOST_MEMORY_LOW: { forMs: 20 * S, clearMs: 60 * S },
  GPU_ECC_GROWS: { forMs: 0, clearMs: 0, isLasting: true },
  GPU_XID: { forMs: 0, clearMs: 0, isLasting: true },
  GPU_GONE: { forMs: 10 * S, clearMs: 30 * S },
  GPU_TAKEN: { forMs: 10 * S, clearMs: 30 * S },
  NIC_ERRORS: { forMs: 0, clearMs: 60 * S },
  NIC_SLOWER: { forMs: 10 * S, clearMs: 60 * S },
  HOST_DISK_FULL: { forMs: 0, clearMs: 30 * S },
  DISK_FILLS: { forMs: 60 * S, clearMs: 300 * S },
};

export type FindingsWatch = {
  /** `at`: the host's clock. Returns what began or ended by it. */
  readonly sample: (host: string, sample: Sample, at: number, run: RunNow, times: () => RankTimes) => readonly RunFinding[];
};

/** What hosts are compared by is made anew so often: it is work for all of them. */
const COMPARE_MS = 5000;

/** For one attempt: another one begins anew. `before`: what a controller before this one has told of it, and is not over. */
export function watchFindings(before: readonly RunFinding[] = []): FindingsWatch {
  const conditions = watchConditions(RULES, before);
  const samples = new Map<string, Sample>();
  const bases = new Map<string, GpuBase>();
  let compared: { readonly at: number; readonly about: AboutRun } | null = null;
  const histories = new Map<string, HostHistory>();
  return {
    sample: (host, sample, at, run, times) => {
      samples.set(host, sample);
      if (compared === null || Math.abs(run.now - compared.at) >= COMPARE_MS) compared = { at: run.now, about: aboutRun(run.state, times(), samples) };
      const about = aboutHost(compared.about, run, host);
      if (about === null) return [];
      for (const uuid of about.gpus) {
        const gpu = sample.gpus[uuid];
        if (gpu === undefined) continue;
        // What is first told later, such as counters that are asked once a minute, counts from then.
        const [known, now] = [bases.get(uuid), baseOf(gpu)];
        bases.set(uuid, { corrected: known?.corrected ?? now.corrected, uncorrected: known?.uncorrected ?? now.uncorrected, xids: known?.xids ?? now.xids });
      }
      const history = histories.get(host) ?? noHistory();
      histories.set(host, history);
      return conditions.look(host, [...detectGpus(sample, about, bases), ...detectRanks(about), ...detectHost(sample, about, history, at)], at);
    },
  };
}
