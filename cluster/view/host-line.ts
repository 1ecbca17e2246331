/** How far a host has come, in a few words; one live line each while a run comes up. */

import type { HostState, RunState } from "../run/state.ts";
import { withoutHost } from "./about-host.ts";

export function hostStep(state: RunState, host: HostState): string {
  if (host.lost !== null) return `lost: ${host.lost}`;
  if (host.problem !== null) return withoutHost(host.name, host.problem.message);
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

function ranksStarted(state: RunState, host: HostState): string {
  const own = Object.values(state.ranks).filter((rank) => rank.host === host.name);
  return own.length === 0 ? "waiting for its ranks" : `${own.length} rank${own.length === 1 ? "" : "s"} started`;
}
