/** Ranks that we spawn ourselves, with the environment that torch's launchers give: the fastest way to a first step. */

import { ranksOf } from "../ranks.ts";
import { wordsOf } from "./argv.ts";
import { inFull, programArgv } from "./program.ts";
import { rankVars } from "./rank-vars.ts";
import type { LaunchContext, LauncherPart } from "./types.ts";

export function planDirect(c: LaunchContext): LauncherPart {
  const plain = programArgv(c);
  const processes = ranksOf(c.place).map(({ rank, localRank }) => ({
    role: "rank" as const,
    rank,
    localRank,
    argv: inFull(wordsOf(plain)),
    vars: rankVars(c, { rank, localRank, localSize: c.place.nproc, elastic: true }),
    plain,
  }));
  return { vars: [], processes, pasted: null, notes: [] };
}
