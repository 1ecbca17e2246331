/** The fold's arm for timers of `wanted` that came due. */

import { EXIT } from "../errors.ts";
import type { RunEvent } from "./events.ts";
import { mapMembers, STAGES } from "./host-fold.ts";
import { startLate } from "./start-late.ts";
import type { RunState } from "./state.ts";
import { failed, troubled } from "./trouble.ts";

export function timedOut(state: RunState, event: RunEvent & { type: "timer" }): RunState {
  switch (event.key) {
    case "start":
      return startTimedOut(state, event.at);
    case "run":
      return failed(state, {
        at: event.at,
        host: null,
        rank: null,
        text: `the run lasted longer than timeouts.run (${(state.spec.timeouts.runMs ?? 0) / 1000} s)`,
        exit: EXIT.timedOut,
        problem: null,
      });
    case "stop":
      return state.phase === "stopping"
        ? mapMembers(state, (h) => (h.mayRun && h.receipt === null ? { ...h, receipt: "unknown", lost: h.seen ? null : "it could not be asked to stop" } : h))
        : state;
    case "drain":
      if (state.phase !== "draining") return state;
      return {
        ...state,
        due: [...state.due, event.key],
        logsIncomplete: state.members.filter((name) => STAGES.indexOf(state.hosts[name]?.stage ?? "waiting") < STAGES.indexOf("drained")),
      };
    case "backoff":
    case "forget":
      return { ...state, due: [...state.due, event.key] };
  }
}

function startTimedOut(state: RunState, at: number): RunState {
  const trouble = { at, host: null, rank: null, text: startLate(state), exit: EXIT.timedOut, problem: null };
  return state.attempt > 1 ? troubled(state, { ...trouble, kind: "start" }) : failed(state, trouble);
}
