/** What a run came to: what its ranks printed, and that it ended well. */

import assert from "node:assert/strict";
import { hostsOf, type RunState } from "../../cluster/run/state.ts";
import type { Seat } from "./controller.ts";

export type Met = {
  rank: number;
  world: number;
  local: number;
  sum: number;
  host: string;
  hosts: string[];
  argv: string[];
  file: string;
  type: string;
  model: string;
};

/** What each rank printed, in the order of the ranks, each from the file of that rank. */
export function metOf(seat: Seat, run: string, state: RunState): Met[] {
  return Object.values(state.ranks)
    .sort((a, b) => a.rank - b.rank)
    .map(({ rank, host }) => {
      const line = seat
        .log(run, host, `rank${rank}.out`)
        .split("\n")
        .find((text) => text.startsWith("{"));
      assert.ok(line !== undefined, `rank ${rank} printed nothing: ${seat.log(run, host, `rank${rank}.err`)}`);
      return JSON.parse(line) as Met;
    });
}

/** Succeeded, and every host proves that nothing is left and nothing had to be killed. */
export function assertClean(state: RunState): void {
  assert.equal(state.phase, "succeeded", state.failure?.text);
  for (const host of hostsOf(state)) {
    assert.ok(host.receipt !== null && host.receipt !== "unknown", `${host.name} has no receipt`);
    assert.equal(host.receipt.left, 0);
    assert.equal(host.receipt.killed, 0);
  }
}
