/** Whether the controller on record still leads a run, as far as this host can tell: another one asks before it takes the run over. */

import { type Agent, heardKey } from "./agent-state.ts";
import type { Link } from "./link.ts";
import type { Run } from "./run.ts";

export type Leader = {
  /** It has a link here now. */
  readonly isLinked: boolean;
  /** Since the last byte from it; of one that this agent never heard, since the agent was started. */
  readonly heardMs: number;
};

export function leaderOf(agent: Agent, links: Iterable<Link>, run: Run): Leader {
  const ages = [...links].filter((link) => link.holds(run) && link.controller === run.record?.controller).map((link) => link.heardMs());
  if (ages.length > 0) return { isLinked: true, heardMs: Math.min(...ages) };
  const last = agent.heard.get(heardKey(run.run, run.record?.controller ?? ""));
  return { isLinked: false, heardMs: last === undefined ? Math.round(process.uptime() * 1000) : Math.max(0, Date.now() - last) };
}
