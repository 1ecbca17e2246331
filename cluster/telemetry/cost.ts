/** What a run has cost so far: each of its hosts' price for as long as the run had it. */

import { hostsOf, type RunState } from "../run/state.ts";

/** In dollars an hour; null: the file names no price. Hosts without one count for nothing, and so does a spare that was never taken. */
export function priceOf(state: RunState): number | null {
  const priced = state.spec.hosts.filter(
    ({ name, pricePerHour }) => pricePerHour !== undefined && (state.members.includes(name) || (state.hosts[name]?.attempt ?? 0) > 0),
  );
  if (priced.length === 0 || hostsOf(state).length === 0) return null;
  return priced.reduce((sum, { pricePerHour = 0 }) => sum + pricePerHour, 0);
}

/** In dollars; null: as of the price. */
export function costOf(state: RunState, now: number): number | null {
  const price = priceOf(state);
  return price === null ? null : costAt(price, (state.endedAt ?? now) - state.requestedAt);
}

export const costAt = (pricePerHour: number, ms: number): number => Math.round((pricePerHour * Math.max(0, ms) * 100) / 3_600_000) / 100;
