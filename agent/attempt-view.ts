/** What the events of one attempt say about it: a fold, so that a restarted agent knows what the old one knew. */

import type { AgentEvent, AttemptStatus } from "../cluster/protocol.ts";
import type { ShimEvent } from "../cluster/shim-contract.ts";

export type Gap = { readonly from: number; readonly to: number; readonly why: string };
export type Armed = Extract<ShimEvent, { type: "armed" }>;

export type AttemptView = {
  readonly attempt: number;
  phase: AttemptStatus["phase"];
  /** Index of the next event that the shim owes us. */
  shimNext: number;
  armed: Armed | null;
  armFailed: Extract<ShimEvent, { type: "arm-failed" }> | null;
  isLaunched: boolean;
  launchFailed: string | null;
  isDrained: boolean;
  readonly pids: Map<number, number>;
  readonly gaps: Map<string, Gap[]>;
};

export const newView = (attempt: number): AttemptView => ({
  attempt,
  phase: "armed",
  shimNext: 0,
  armed: null,
  armFailed: null,
  isLaunched: false,
  launchFailed: null,
  isDrained: false,
  pids: new Map(),
  gaps: new Map(),
});

export const toStatus = (view: AttemptView): AttemptStatus => ({ attempt: view.attempt, phase: view.phase, pids: view.pids.size });

export function fold(view: AttemptView, { event }: AgentEvent): void {
  if ("index" in event) view.shimNext = event.index + 1;
  switch (event.type) {
    case "armed":
      view.armed = event;
      return;
    case "arm-failed":
      view.armFailed = event;
      return;
    case "launched":
      view.isLaunched = true;
      if (view.phase === "armed") view.phase = "launched";
      for (const { pid, start } of event.pids) view.pids.set(pid, start);
      return;
    case "launch-failed":
      view.launchFailed = event.text;
      return;
    case "rank-started":
      view.pids.set(event.pid, event.start);
      return;
    case "rank-exited":
      view.pids.delete(event.pid);
      return;
    case "stopping":
      if (view.phase !== "ended") view.phase = "stopping";
      return;
    case "gap":
      addGap(view.gaps, event.file, event);
      return;
    case "ended":
    case "shim-lost":
      view.phase = "ended";
      view.pids.clear();
      return;
    case "drained":
      view.isDrained = true;
      return;
    case "launcher-exited":
      return;
    default:
      event satisfies never;
  }
}

export function addGap(gaps: Map<string, Gap[]>, file: string, gap: Gap): void {
  const known = gaps.get(file) ?? [];
  if (known.some((one) => one.from === gap.from && one.to === gap.to)) return;
  gaps.set(
    file,
    [...known, { from: gap.from, to: gap.to, why: gap.why }].sort((a, b) => a.from - b.from),
  );
}
