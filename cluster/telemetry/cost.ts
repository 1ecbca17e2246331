/** What a run has cost so far: each of its hosts' price for as long as the run had it. */

import { hostsOf, type RunState } from "../run/state.ts";

/** In dollars; null: the file names no price. Hosts without one count for nothing, and so does a spare that was never taken. */
export function costOf(state: RunState, now: number): number | null {
  const priced = state.spec.hosts.filter(
    ({ name, pricePerHour }) => pricePerHour !== undefined && (state.members.includes(name) || (state.hosts[name]?.attempt ?? 0) > 0),
  );
  if (priced.length === 0 || hostsOf(state).length === 0) return null;
  const hours = Math.max(0, (state.endedAt ?? now) - state.requestedAt) / 3_600_000;
  return Math.round(priced.reduce((sum, { pricePerHour = 0 }) => sum + pricePerHour * hours, 0) * 100) / 100;
}
