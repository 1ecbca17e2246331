/** Follows the run of a drill through the death of controllers: its state, its events, and when each attempt took its first step. */

import { NexaError } from "../../cluster/errors.ts";
import type { RunEvent } from "../../cluster/run/events.ts";
import { reduce, replay } from "../../cluster/run/reduce.ts";
import { isOver, type RunState } from "../../cluster/run/state.ts";
import type { Client } from "./client.ts";
import { findOrStartDaemon } from "./daemon-start.ts";
import { rejoin } from "./rejoin.ts";

export type DrillWatch = {
  readonly client: () => Client;
  readonly state: () => RunState | null;
  readonly events: () => readonly RunEvent[];
  /** When the first step of the attempt was told here, ms since epoch. */
  readonly steppedAt: (attempt: number) => number | null;
  /** True once `look` is; false when the run is over or the time is up. */
  readonly until: (look: () => boolean, withinMs: number) => Promise<boolean>;
  readonly close: () => void;
};

/** A step of all ranks: rank 0 of the smoke trainer says so after a sum over all of them. */
const STEP = /^step=\d+ /;

export function watchDrill(first: Client, run: string): DrillWatch {
  const events: RunEvent[] = [];
  const steps = new Map<number, number>();
  const waiting = new Set<() => void>();
  let state: RunState | null = null;
  const findAgain = rejoin(first, run, findOrStartDaemon);
  let client = first;
  let isClosed = false;

  const follow = async (): Promise<void> => {
    for await (const item of client.stream({ ask: "watch", run, from: events.length, logs: true, whole: true })) {
      if (item.kind === "event") {
        events.push(item.event);
        state = state === null ? replay(events) : reduce(state, item.event);
      }
      if (item.kind === "line" && STEP.test(item.line.text) && !steps.has(item.line.attempt)) steps.set(item.line.attempt, Date.now());
      for (const look of [...waiting]) look();
    }
  };
  const keepOn = async (): Promise<void> => {
    while (!isClosed && (state === null || !isOver(state))) {
      try {
        await follow();
      } catch (error) {
        if (isClosed) return;
        if (!(error instanceof NexaError) || error.code !== "CONTROLLER_LOST") throw error;
        client = await findAgain();
      }
    }
  };
  let broken: unknown = null;
  const done = keepOn()
    .catch((error: unknown) => {
      broken = error;
    })
    .finally(() => {
      for (const look of [...waiting]) look();
    });

  const until = (look: () => boolean, withinMs: number): Promise<boolean> =>
    new Promise((resolve, reject) => {
      const end = (act: () => void): void => {
        clearTimeout(timer);
        waiting.delete(check);
        act();
      };
      const check = (): void => {
        if (look()) end(() => resolve(true));
        else if (broken !== null) end(() => reject(broken));
        else if (state !== null && isOver(state)) end(() => resolve(false));
      };
      const timer = setTimeout(() => end(() => resolve(false)), withinMs);
      waiting.add(check);
      check();
      void done.then(check);
    });

  return {
    client: () => client,
    state: () => state,
    events: () => events,
    steppedAt: (attempt) => steps.get(attempt) ?? null,
    until,
    close: () => {
      isClosed = true;
      client.close();
    },
  };
}
