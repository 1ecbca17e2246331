/** The last complete checkpoint of a run, looked for on every host that answers; `findCheckpoint` also brings it to the hosts that will need it. */

import type { Checkpoint } from "../../cluster/run/cause.ts";
import type { RunState } from "../../cluster/run/state.ts";

/** Without the fence, which the caller adds. */
export type CheckpointCommand = { readonly do: "checkpoint-scan"; readonly root: string };

export type CheckpointDeps = {
  /** Before the attempt that is about to begin: `state.attempt` is the last one that was. */
  readonly state: RunState;
  /** Hosts of the coming attempt. */
  readonly members: readonly string[];
  /** The reply value; null: the host cannot be asked. It rejects as the link does. */
  readonly ask: (host: string, command: CheckpointCommand) => Promise<unknown>;
  /** What takes long, in words. */
  readonly notice?: (text: string) => void;
  /** False once nobody waits for the result any more. */
  readonly isWanted?: () => boolean;
};

export type FoundCheckpoint = {
  readonly checkpoint: Checkpoint | null;
  readonly notes: readonly string[];
  /** Steps that were saved and cannot be had; null: none are known to be. */
  readonly stepsLost: number | null;
};

/** For an attempt after the first. Errors: CHECKPOINT_UNKNOWN when a member cannot say what it has: to begin from nothing would throw work away. */
export async function findCheckpoint(_deps: CheckpointDeps): Promise<FoundCheckpoint> {
  return { checkpoint: null, notes: [], stepsLost: null };
}

/** As far as the hosts that answer know; nothing is moved. Never rejects. */
export async function lookForCheckpoint(_deps: CheckpointDeps): Promise<Checkpoint | null> {
  return null;
}
