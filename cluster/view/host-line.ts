/** How far a host has come, in a few words; one live line each while a run comes up. */

import { type HostState, isOver, type RunState } from "../run/state.ts";
import { withoutHost } from "./about-host.ts";
import { firstLine } from "./paragraph.ts";
import { whyUnseen } from "./unseen.ts";

export function hostStep(state: RunState, host: HostState): string {
  if (isOver(state)) return stepWhenOver(host);
  if (host.lost !== null) return `lost: ${firstLine(host.lost)}`;
  if (host.excluded !== undefined && !host.mayRun) return `excluded by ${host.excluded.by}`;
  if (host.problem !== null) return withoutHost(host.name, firstLine(host.problem.message));
  switch (host.stage) {
    case "waiting":
      return "connecting";
    case "refused":
      return "not reached";
    case "connected":
      return state.phase === "connecting" ? "ready" : "preparing";
    case "prepared":
      return state.members.includes(host.name) ? (state.phase === "preparing" ? "prepared" : "arming") : "spare";
    case "armed":
      return "launching";
    case "launched":
      return ranksStarted(state, host);
    case "ended":
    case "drained":
    case "forgot":
      return "ended";
  }
}

/** What is owed or left, no step that it was at. */
function stepWhenOver(host: HostState): string {
  const { name, receipt, problem, lost } = host;
  if (receipt === "unknown") {
    const why = whyUnseen(host);
    return `owes a stop: could not be asked${why === "" ? "" : ` (${why})`}`;
  }
  if (lost !== null) return `lost: ${firstLine(lost)}`;
  if (problem !== null) return withoutHost(name, firstLine(problem.message));
  if (receipt === null) return host.stage === "refused" ? "not reached" : "nothing was started";
  if (receipt.left === null) return "ended, left alive unknown";
  return receipt.left === 0 ? "ended" : `ended, ${receipt.left} left alive`;
}

function ranksStarted(state: RunState, host: HostState): string {
  const own = Object.values(state.ranks).filter((rank) => rank.host === host.name);
  return own.length === 0 ? "waiting for its ranks" : `${own.length} rank${own.length === 1 ? "" : "s"} started`;
}
