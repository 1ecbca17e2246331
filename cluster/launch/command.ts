/** Any program, once per host or once per GPU or slot; it is told its rank and otherwise left alone. */

import { ranksOf } from "../ranks.ts";
import { wordsOf } from "./argv.ts";
import { inFull, programArgv } from "./program.ts";
import { rankVars } from "./rank-vars.ts";
import type { LaunchContext, LauncherPart } from "./types.ts";

/** With `per: host` the plan has given every host one rank already. */
export function planCommand(c: LaunchContext): LauncherPart {
  const plain = programArgv(c);
  const processes = ranksOf(c.place).map(({ rank, localRank }) => ({
    role: "rank" as const,
    rank,
    localRank,
    argv: inFull(wordsOf(plain)),
    vars: rankVars(c, { rank, localRank, localSize: c.place.nproc, elastic: false }),
    plain,
  }));
  return { vars: [], processes, pasted: null, notes: [] };
}
