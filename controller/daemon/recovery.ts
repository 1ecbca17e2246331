/** Does the effects between two attempts: finds out why one failed, and begins the next. */

import { randomBytes, randomInt } from "node:crypto";
import { cameTo, repeated } from "../../cluster/checkpoint/came-to.ts";
import { NexaError, type Problem, toProblem } from "../../cluster/errors.ts";
import type { RunRecord } from "../../cluster/protocol.ts";
import type { RunEvent } from "../../cluster/run/events.ts";
import type { RunState } from "../../cluster/run/state.ts";
import { refusalOfAttempt } from "./attempt-plan.ts";
import { type CheckpointCommand, type FoundCheckpoint, findCheckpoint, lookForCheckpoint } from "./find-checkpoint.ts";
import { asTold, gatherCause } from "./gather-cause.ts";
import type { Linked } from "./keeper.ts";
import { knockAtEachOther } from "./knock.ts";
import { layOut } from "./layout.ts";
import { readTails } from "./tails.ts";

export type RecoveryDeps = {
  /** When the effect began. */
  readonly state: RunState;
  readonly isDrained: () => boolean;
  readonly isWanted: () => boolean;
  readonly notice: (text: string) => void;
  readonly events: readonly RunEvent[];
  readonly logsDir: string;
  readonly linked: (host: string) => Linked | null;
  readonly record: RunRecord;
  readonly conceal: (text: string) => string;
  readonly now: () => number;
  /** On the way to the outcome. */
  readonly tell: (event: RunEvent) => void;
};

export const fence = ({ record }: RecoveryDeps): { run: string; epoch: number; controller: string } => ({
  run: record.run,
  epoch: record.epoch,
  controller: record.controller,
});

/** Last words are on their way when the last receipt comes. */
const DRAIN_MS = 3000;

export async function diagnose(deps: RecoveryDeps, attempt: number): Promise<RunEvent> {
  const { state, events, logsDir, now, conceal } = deps;
  for (const until = now() + DRAIN_MS; !deps.isDrained() && now() < until; ) await new Promise((resolve) => setTimeout(resolve, 50));
  const ask = async (host: string): Promise<unknown> => deps.linked(host)?.link.command({ do: "evidence", ...fence(deps), attempt }) ?? null;
  const [cause, checkpoint] = await Promise.all([
    state.trouble?.kind === "asked" ? asTold(state) : gatherCause({ state, events, logsDir, ask, knock: () => knockAtEachOther(deps), now, conceal }),
    lookForCheckpoint({ state, members: state.members, ask: askFor(deps) }),
  ]);
  return { at: now(), type: "attempt-diagnosed", attempt, cause, checkpoint, jitter: randomInt(1000) / 1000 };
}

const askFor =
  (deps: RecoveryDeps) =>
  async (host: string, command: CheckpointCommand): Promise<unknown> =>
    deps.linked(host)?.link.command({ ...command, ...fence(deps) }) ?? null;

/** Of the attempt that ended. */
async function doneAgain({ state, logsDir }: RecoveryDeps, { checkpoint, silent }: FoundCheckpoint): Promise<readonly string[]> {
  if (state.attempt === 0 || state.spec.paths.checkpoints === undefined) return [];
  const came = cameTo(await readTails(logsDir, state.attempt, state.members, []));
  const were = state.members.filter((host) => silent.includes(host));
  return repeated(came, checkpoint?.step ?? 0, were);
}

/** The first host's refusal, or the beginning. Errors: CHECKPOINT_UNKNOWN, of the moment: it is tried again. */
export async function beginAttempt(deps: RecoveryDeps, attempt: number, members: readonly string[]): Promise<RunEvent> {
  const { now } = deps;
  const refused = (host: string, problem: Problem): RunEvent => ({ at: now(), type: "host-failed", host, during: "arm", problem });
  const state: RunState = { ...deps.state, members, attempt, nproc: [] };
  try {
    const refusal = await refusalOfAttempt(state);
    if (refusal !== null) return refused(refusal.host, refusal.problem);
    const layout = layOut(state);
    if (!layout.ok) return refused(layout.host, layout.problem);
    const { notice, isWanted } = deps;
    const found =
      attempt === 1
        ? { checkpoint: null, notes: [], stepsLost: null, silent: [] }
        : await findCheckpoint({ state: deps.state, members, ask: askFor(deps), notice, isWanted });
    const rdzvId = `${state.spec.run}-a${attempt}-${randomBytes(4).toString("hex")}`;
    return {
      at: now(),
      type: "attempt-begun",
      attempt,
      rdzvId,
      world: layout.world,
      members,
      checkpoint: found.checkpoint,
      notes: [
        ...found.notes,
        ...(found.stepsLost === null ? [] : [`${found.stepsLost} steps were saved and cannot be had: they are lost`]),
        ...(await doneAgain(deps, found)),
      ],
      nproc: layout.places.map((place) => place.nproc),
    };
  } catch (error) {
    if (error instanceof NexaError && (error.code === "CHECKPOINT_UNKNOWN" || error.code === "NOT_WANTED")) throw error;
    if (!(error instanceof NexaError)) console.error(error);
    return refused(members[0] ?? "", toProblem(error));
  }
}
