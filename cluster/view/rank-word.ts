/** How a rank is, in a few words. */

import { describeExit } from "../run/reduce.ts";
import { isOver, type RankState, type RunState } from "../run/state.ts";

export const rankWord = (state: RunState, { host, exit }: RankState): string => (exit === null ? withoutExit(state, host) : describeExit(exit));

/** A rank whose end nobody told: what is not known is not called ended. */
function withoutExit(state: RunState, name: string): string {
  const host = state.hosts[name];
  if (host?.receipt === "unknown") return "unknown, its host could not be asked";
  if (isOver(state) || (host?.receipt ?? null) !== null) return "ended";
  return host?.seen === false ? "unknown, no word from its host" : "running";
}
