/** Does the effects between two attempts: finds out why one failed, and begins the next. */

import { randomBytes, randomInt } from "node:crypto";
import { NexaError, type Problem, toProblem } from "../../cluster/errors.ts";
import type { RunRecord } from "../../cluster/protocol.ts";
import type { RunEvent } from "../../cluster/run/events.ts";
import type { RunState } from "../../cluster/run/state.ts";
import { refusalOfAttempt } from "./attempt-plan.ts";
import { gatherCause } from "./gather-cause.ts";
import type { Linked } from "./keeper.ts";
import { layOut } from "./layout.ts";

export type RecoveryDeps = {
  readonly state: RunState;
  readonly events: readonly RunEvent[];
  readonly logsDir: string;
  readonly linked: (host: string) => Linked | null;
  readonly record: RunRecord;
  readonly conceal: (text: string) => string;
  readonly now: () => number;
};

const fence = ({ record }: RecoveryDeps): { run: string; epoch: number; controller: string } => ({
  run: record.run,
  epoch: record.epoch,
  controller: record.controller,
});

export async function diagnose(deps: RecoveryDeps, attempt: number): Promise<RunEvent> {
  const { state, events, logsDir, now, conceal } = deps;
  const ask = async (host: string): Promise<unknown> => deps.linked(host)?.link.command({ do: "evidence", ...fence(deps), attempt } as never) ?? null;
  const cause = await gatherCause({ state, events, logsDir, ask, now, conceal });
  return { at: now(), type: "attempt-diagnosed", attempt, cause, checkpoint: null, jitter: randomInt(1000) / 1000 };
}

/** The first host's refusal, or the beginning. */
export async function beginAttempt(deps: RecoveryDeps, attempt: number, members: readonly string[]): Promise<RunEvent> {
  const { now } = deps;
  const refused = (host: string, problem: Problem): RunEvent => ({ at: now(), type: "host-failed", host, during: "arm", problem });
  const state: RunState = { ...deps.state, members, attempt };
  try {
    const refusal = await refusalOfAttempt(state);
    if (refusal !== null) return refused(refusal.host, refusal.problem);
    const layout = layOut(state);
    if (!layout.ok) return refused(layout.host, layout.problem);
    const rdzvId = `${state.spec.run}-a${attempt}-${randomBytes(4).toString("hex")}`;
    return { at: now(), type: "attempt-begun", attempt, rdzvId, world: layout.world, members, checkpoint: null };
  } catch (error) {
    if (!(error instanceof NexaError)) console.error(error);
    return refused(members[0] ?? "", toProblem(error));
  }
}
