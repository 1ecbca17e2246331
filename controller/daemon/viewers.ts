/** Answers viewers over the controller's unix socket: JSON lines, one Request each, any number of items and one end. */

import { createServer, type Server, type Socket } from "node:net";
import { fail, toProblem } from "../../cluster/errors.ts";
import { isOver } from "../../cluster/run/state.ts";
import { type Pong, type Request, VIEWER_PROTOCOL } from "../../cluster/viewer.ts";
import { runDir, stateDir } from "../paths.ts";
import { answerAct } from "./answer-act.ts";
import { answerHang } from "./answer-hang.ts";
import { answerLogs } from "./answer-logs.ts";
import { answerWatch } from "./answer-watch.ts";
import { type Asked, drained, say, tell } from "./asked.ts";
import { execOnLink } from "./exec-link.ts";
import { ownLent } from "./own-lent.ts";
import type { Runs } from "./runs.ts";
import { mustLead } from "./takeover.ts";
import { answerSamples } from "./telemetry/answer-samples.ts";

/** A request line: a spec with its environment fits many times. In bytes. */
const MAX_REQUEST = 16 * 1024 * 1024;

export type ServerInfo = { readonly version: string; readonly build: string; readonly startedAt: number; readonly quit: () => void };

export const serveViewers = (runs: Runs, info: ServerInfo): Server => createServer((socket) => serve(runs, info, socket));

function serve(runs: Runs, info: ServerInfo, socket: Socket): void {
  const cancels = new Map<number, AbortController>();
  let buffer = "";
  socket.setEncoding("utf8");
  socket.setMaxListeners(0); // each answer that waits for room listens
  socket.on("error", () => undefined);
  socket.on("close", () => {
    for (const cancel of cancels.values()) cancel.abort();
  });
  socket.on("data", (chunk: string) => {
    const lines = (buffer + chunk).split("\n");
    buffer = lines.pop() ?? "";
    if (buffer.length > MAX_REQUEST) socket.destroy();
    for (const line of lines) take(line);
  });
  const take = (line: string): void => {
    const request = parseRequest(line);
    if (request === null) {
      socket.destroy();
      return;
    }
    if (request.ask === "cancel") return cancels.get(request.cancel)?.abort();
    const { id } = request;
    const cancel = new AbortController();
    cancels.set(id, cancel);
    answer(runs, info, request, { socket, id, cancelled: cancel.signal })
      .then(
        (end) => say(socket, { id, end: end ?? null }),
        (error: unknown) => {
          const problem = toProblem(error);
          if (problem.code === "BUG") console.error(error);
          say(socket, { id, problem });
        },
      )
      .finally(() => cancels.delete(id));
  };
}

/** null: no viewer of ours sends that. */
function parseRequest(line: string): Request | null {
  try {
    const request = JSON.parse(line) as Request | null;
    return typeof request?.id === "number" ? request : null;
  } catch {
    return null;
  }
}

async function answer(runs: Runs, info: ServerInfo, request: Request, asked: Asked): Promise<unknown> {
  switch (request.ask) {
    case "ping":
      return {
        protocol: VIEWER_PROTOCOL,
        version: info.version,
        build: info.build,
        pid: process.pid,
        startedAt: info.startedAt,
        stateDir: stateDir(),
      } satisfies Pong;
    case "runs":
      return runs.summaries(request.all);
    case "run": {
      const { state, lines } = runs.find(request.run);
      const begun = lines.findLast(({ event }) => event.type === "attempt-begun")?.event;
      const notes = begun?.type === "attempt-begun" ? (begun.notes ?? []) : [];
      const live = runs.live.get(request.run);
      return { state, events: lines.length, dir: runDir(request.run), wroteAt: live?.wroteAt() ?? null, pace: live?.driver.pace()?.pace() ?? null, notes };
    }
    case "up":
      return { run: await runs.start(request.spec, request.secrets, request.lent, request.by) };
    case "find-runs":
      return runs.findKept(request.hosts, request.lent, (host, text) => tell(asked, { kind: "notice", host, text }));
    case "reach":
      return runs.reach(request.hosts, (host, text) => tell(asked, { kind: "notice", host, text }));
    case "take-over":
      return runs.takeOver({ ...request, lent: request.lent ?? ownLent() }, (host, text) => tell(asked, { kind: "notice", host, text }), asked.cancelled);
    case "watch":
      return answerWatch(runs, request, asked);
    case "logs":
      return answerLogs(runs, request, asked);
    case "stop": {
      const { state } = runs.find(request.run);
      mustLead(state);
      if (isOver(state)) {
        runs.remind(request.run);
        return { over: true };
      }
      const graceMs = request.graceMs ?? state.spec.timeouts.stopGraceMs;
      runs.get(request.run).driver.apply({ at: Date.now(), type: "stop-requested", by: request.by, why: request.why, graceMs });
      return { over: false };
    }
    case "act":
      return answerAct(runs, request);
    case "hang":
      mustLead(runs.find(request.run).state);
      return answerHang(runs, request.run, asked.cancelled);
    case "samples":
      return answerSamples(runs, request, asked);
    case "exec":
      return execOnLink(runs.linkTo(request.host, request.reach ?? {}), request, asked.cancelled, async (fd, data) => {
        if (!tell(asked, { kind: "output", fd, data: data.toString("base64") })) await drained(asked);
      });
    case "ended-elsewhere":
      return runs.noteEnd(request);
    case "quit":
      setImmediate(info.quit);
      return null;
    case "cancel":
      return null;
    default:
      throw fail("USAGE", { what: "the controller does not know this request" });
  }
}
