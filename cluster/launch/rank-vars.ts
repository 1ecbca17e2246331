/** What a rank that no torch launcher started must be told: torch's env:// contract. */

import type { LaunchContext, PlanVar } from "./types.ts";

export type RankIdentity = {
  readonly rank: number;
  readonly localRank: number;
  readonly localSize: number;
  /** Also what libraries look for to see a launch by torch's elastic agent. */
  readonly elastic: boolean;
};

export function rankVars(c: LaunchContext, { rank, localRank, localSize, elastic }: RankIdentity): PlanVar[] {
  const { place, places, input, at } = c;
  const identity: [string, string | number][] = [
    ["RANK", rank],
    ["LOCAL_RANK", localRank],
    ["WORLD_SIZE", place.worldSize],
    ["LOCAL_WORLD_SIZE", localSize],
    ["GROUP_RANK", place.groupRank],
    ["GROUP_WORLD_SIZE", places.length],
    ["ROLE_NAME", "default"],
    ["ROLE_RANK", rank],
    ["ROLE_WORLD_SIZE", place.worldSize],
    ["MASTER_ADDR", c.masterAddress],
    ["MASTER_PORT", input.ports.master],
  ];
  const vars: PlanVar[] = identity.map(([name, value]) => ({ name, value: String(value), reason: "who this rank is, as torch expects it" }));
  if (elastic) {
    // TORCHELASTIC_USE_AGENT_STORE stays unset: rank 0 must host the store.
    vars.push(
      { name: "TORCHELASTIC_RUN_ID", value: input.rdzvId, reason: "libraries look for it to see a distributed launch" },
      { name: "TORCHELASTIC_RESTART_COUNT", value: "0", reason: "nexadist restarts whole attempts, never one rank" },
      { name: "TORCHELASTIC_MAX_RESTARTS", value: "0", reason: "nexadist restarts whole attempts, never one rank" },
    );
  }
  if (at.dirs.bundle === null) return vars;
  if (elastic)
    vars.push({ name: "TORCHELASTIC_ERROR_FILE", value: `${at.dirs.attempt}/error/rank${rank}.json`, reason: "where a rank's exception is written" });
  vars.push({ name: "NCCL_DEBUG_FILE", value: `${at.dirs.attempt}/rank${rank}.nccl`, reason: "NCCL's lines are a stream of their own" });
  if (at.dirs.scratch !== null)
    vars.push({ name: "NEXA_SCRATCH", value: `${at.dirs.scratch}/rank_${rank}`, reason: "paths.scratch of the file, one directory per rank" });
  return vars;
}
