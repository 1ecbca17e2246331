/** Judges, once an attempt, what NCCL tells of it when all its ranks are connected: findings where it goes a slower way than the hosts have. */

import { type Hardware, judgeNccl } from "../../cluster/nccl/judge.ts";
import { readNcclLine } from "../../cluster/nccl/read-line.ts";
import { readNccl } from "../../cluster/nccl/summary.ts";
import type { RunEvent } from "../../cluster/run/events.ts";
import { presentFindings } from "../../cluster/run/findings.ts";
import type { RunState } from "../../cluster/run/state.ts";

/** Connections are told one after the other; after so long without a line they are all there. */
const QUIET_MS = 10_000;

export type NcclWatchDeps = {
  readonly state: () => RunState;
  readonly now: () => number;
  readonly hardware: (host: string) => Promise<Hardware>;
  readonly apply: (event: RunEvent) => void;
};
export type NcclWatch = { readonly line: (host: string, rank: number, text: string) => void; readonly close: () => void };

export function watchNccl({ state, now, hardware, apply }: NcclWatchDeps): NcclWatch {
  const { attempt, world } = state();
  const reader = readNccl();
  const ready = new Set<number>();
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;

  const judge = async (): Promise<void> => {
    isOver = true;
    const summary = reader.summary();
    const hosts = [...new Set(summary.ranks.map(({ host }) => host))];
    const has = new Map(await Promise.all(hosts.map(async (host) => [host, await hardware(host)] as const)));
    const known = new Set(presentFindings(state()).map(({ key }) => key));
    if (state().attempt !== attempt || state().phase !== "running") return;
    for (const { code, host, text } of judgeNccl(summary, has)) {
      const key = `${code} ${host}`;
      if (host === null || known.has(key)) continue;
      apply({ at: now(), type: "finding", attempt, finding: { code, key, text, host, rank: null, gpu: null, since: now(), until: null } });
    }
  };

  return {
    line: (host, rank, text) => {
      const fact = isOver ? null : readNcclLine(text);
      if (fact === null) return;
      reader.push(host, rank, fact);
      if (fact.is === "ready") ready.add(rank);
      clearTimeout(timer);
      if (ready.size >= world) timer = setTimeout(() => judge().catch(console.error), QUIET_MS);
    },
    close: () => {
      isOver = true;
      clearTimeout(timer);
    },
  };
}
