/** What a fault is: how it is made, what must come of it, how it is undone. */

import type { CauseKind } from "../../cluster/run/cause.ts";
import type { RunEvent } from "../../cluster/run/events.ts";
import type { RunState } from "../../cluster/run/state.ts";
import type { Luck } from "./luck.ts";
import type { World } from "./world.ts";

export type Strike = {
  /** ms since epoch. */
  readonly at: number;
  /** Victims in words, for the table of what went wrong. */
  readonly who: string;
  /** What the root cause must name; absent: it need not. */
  readonly rank?: number;
  readonly host?: string;
  /** Hosts whose disk or processes went with it: their logs may lack their end. */
  readonly gone?: readonly string[];
  readonly undo?: () => Promise<void>;
};

export type Fault = {
  readonly name: string;
  readonly about: string;
  /** restart: another attempt, one, without anybody's help. untouched: the same processes go on. */
  readonly expect: "restart" | "untouched";
  readonly kinds?: readonly CauseKind[];
  /** When the fault is undone: at once, or as soon as the next attempt trains. */
  readonly undoWhen?: "at once" | "trains again";
  /** The first event that tells of it; absent: the one that condemns the attempt. */
  readonly sign?: (event: RunEvent) => boolean;
  /** Bytes of the ranks' logs may be missing where a gap is on record. */
  readonly mayGap?: true;
  /** False: only a fresh run will do. */
  readonly fits?: (world: World, state: RunState) => boolean;
  readonly strike: (world: World, state: RunState, luck: Luck) => Promise<Strike>;
};
