/** What an agent's event means for the run. Pure; null: nothing that the run's state needs. */

import { fail, toProblem } from "../../cluster/errors.ts";
import type { AgentEvent } from "../../cluster/protocol.ts";
import type { RunEvent } from "../../cluster/run/events.ts";

export function translate(host: string, { attempt, event }: AgentEvent, at: number): RunEvent | null {
  switch (event.type) {
    case "rank-started":
      return { at, type: "rank-started", host, attempt, rank: event.rank, pid: event.pid, start: event.start };
    case "rank-exited":
      return { at, type: "rank-exited", host, attempt, rank: event.rank, code: event.code, signal: event.signal, seenAt: event.at };
    case "launcher-exited":
      return { at, type: "launcher-exited", host, attempt, code: event.code, signal: event.signal };
    case "launch-failed":
      return { at, type: "host-failed", host, during: "launch", problem: toProblem(fail("LAUNCH_FAILED", { host, attempt, why: event.text }), host) };
    case "stopping":
      return { at, type: "host-stopping", host, attempt, why: event.why };
    case "gap":
      return { at, type: "log-gap", host, stream: event.file, from: event.from, to: event.to, why: event.why };
    case "ended":
    case "shim-lost":
      return { at, type: "host-ended", host, attempt, receipt: event.receipt };
    case "armed":
    case "arm-failed": // both are told by the reply to `arm`
    case "launched":
    case "drained":
      return null;
  }
}
