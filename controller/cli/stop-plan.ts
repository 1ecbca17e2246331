/** `stop --dry-run`: what a stop would do on every host of the run. Pure. */

import { hostsOf, isOver, type RunState } from "../../cluster/run/state.ts";
import { sanitiseWord } from "../../cluster/sanitise.ts";
import { formatDuration } from "../../cluster/view/duration.ts";

export type HostStop = { readonly host: string; readonly ranks: readonly { readonly rank: number; readonly pid: number }[]; readonly would: string };

export function planStop(state: RunState, graceMs: number): readonly HostStop[] {
  return hostsOf(state).map((host) => {
    const ranks = Object.values(state.ranks)
      .filter((rank) => rank.host === host.name && rank.exit === null)
      .map(({ rank, pid }) => ({ rank, pid }));
    return { host: host.name, ranks: isOver(state) ? [] : ranks, would: wouldDo(state, host.mayRun, ranks, graceMs) };
  });
}

function wouldDo(state: RunState, mayRun: boolean, ranks: HostStop["ranks"], graceMs: number): string {
  if (isOver(state)) return "would change nothing: the run has ended";
  if (!mayRun) return "would signal nothing: nothing was launched there";
  const whom = ranks.length === 0 ? "what is left of the attempt" : ranks.map(({ rank, pid }) => `r${rank} (pid ${pid})`).join(", ");
  const grace = graceMs === 0 ? "at once by SIGKILL" : `by SIGTERM, after ${formatDuration(graceMs)} by SIGKILL`;
  return `would end ${whom} ${grace}, and sweep what they left`;
}

export const stopPlanLines = (plan: readonly HostStop[]): readonly string[] => plan.map(({ host, would }) => `${sanitiseWord(host)}: ${would}`);
