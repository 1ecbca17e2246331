/** The live lines of a run that comes up: one a host, or only those that are not ready where there are more than the terminal shows. Pure. */

import { type HostStage, hostsOf, type RunState } from "../../cluster/run/state.ts";
import { sanitiseWord } from "../../cluster/sanitise.ts";
import { hostStep } from "../../cluster/view/host-line.ts";
import { padTo, widthOf } from "../../cluster/view/table.ts";

/** `isReady`: nothing is waited for there just now. */
export type LiveLine = { readonly text: string; readonly isReady: boolean };

/** What a host has to reach in each phase of coming up. */
const GOALS: Partial<Record<RunState["phase"], HostStage>> = { connecting: "connected", preparing: "prepared", arming: "armed", launching: "launched" };
const STAGES: readonly HostStage[] = ["waiting", "connected", "prepared", "armed", "launched"];

export const isComingUp = (state: RunState): boolean => GOALS[state.phase] !== undefined;

/** `steps`: the latest word on what a host does at its present stage. */
export function liveHosts(state: RunState, steps: ReadonlyMap<string, string>): readonly LiveLine[] {
  const goal = GOALS[state.phase];
  if (goal === undefined) return [];
  const all = hostsOf(state);
  const width = Math.max(...all.map((h) => widthOf(sanitiseWord(h.name))));
  return all.map((h) => {
    const step = h.stage === "waiting" || h.stage === "connected" ? steps.get(h.name) : undefined;
    const reached = STAGES.indexOf(h.stage);
    return {
      text: `  ${padTo(sanitiseWord(h.name), width)}  ${sanitiseWord(step ?? hostStep(state, h))}`,
      isReady: reached < 0 || reached >= STAGES.indexOf(goal), // refused and ended hosts are waited for no more
    };
  });
}

/** At most `rows` lines and one that counts the rest. */
export function foldLines(lines: readonly LiveLine[], rows: number): readonly string[] {
  if (lines.length <= rows) return lines.map((line) => line.text);
  const waiting = lines.filter((line) => !line.isReady);
  const shown = waiting.slice(0, rows);
  const more = waiting.length - shown.length;
  const ready = lines.length - waiting.length;
  const rest = [...(more > 0 ? [`… and ${more} more`] : []), ...(ready > 0 ? [`${ready} ready`] : [])].join(", ");
  return [...shown.map((line) => line.text), `  ${rest}`];
}
