/** What had not been done, and where, when `timeouts.start` was over. */

import { STAGES } from "./host-fold.ts";
import type { HostStage, RunState } from "./state.ts";

export function startLate(state: RunState): string {
  const missing = Array.from({ length: state.world }, (_, rank) => rank).filter((rank) => state.ranks[rank] === undefined);
  const who = state.world > 0 && state.phase === "launching" ? `ranks ${missing.join(", ")} did not start` : notDone(state);
  return `${who} within timeouts.start (${state.spec.timeouts.startMs / 1000} s)`;
}

/** Where it was not done, and whether the lines of the file's \`setup\` may be what took so long. */
function notDone({ phase, members, hosts, spec }: RunState): string {
  const wanted: HostStage = phase === "arming" ? "armed" : "prepared";
  const late = members.filter((name) => STAGES.indexOf(hosts[name]?.stage ?? "waiting") < STAGES.indexOf(wanted));
  const hasSetup = phase === "preparing" && spec.hosts.some(({ name, setup }) => late.includes(name) && setup !== undefined);
  return `${phase} was not done${late.length === 0 ? "" : ` on ${late.join(", ")}`}${hasSetup ? " (`setup` of the file runs there first)" : ""}`;
}
