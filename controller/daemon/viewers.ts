/** Answers viewers over the controller's unix socket: JSON lines, one Request each, any number of items and one end. */

import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { fail, toProblem } from "../../cluster/errors.ts";
import { isOver } from "../../cluster/run/state.ts";
import { type Answer, type Item, type Pong, type Request, VIEWER_PROTOCOL } from "../../cluster/viewer.ts";
import { runDir, stateDir } from "../paths.ts";
import { execOnLink } from "./exec-link.ts";
import { matches, readLogs } from "./log-query.ts";
import type { LiveRun, Runs, Watcher } from "./runs.ts";

/** A request line: a spec with its environment fits many times. In bytes. */
const MAX_REQUEST = 16 * 1024 * 1024;
/** Beyond this a viewer is too slow for log lines: they are counted and left out, never queued. In bytes. */
const SLOW = 8 * 1024 * 1024;

type Asked = { readonly socket: Socket; readonly id: number; readonly onCancel: (cancel: () => void) => void };

export type ServerInfo = { readonly version: string; readonly startedAt: number; readonly quit: () => void };

export function serveViewers(runs: Runs, info: ServerInfo): Server {
  return createServer((socket) => {
    const cancels = new Map<number, () => void>();
    let buffer = "";
    socket.setEncoding("utf8");
    socket.on("error", () => undefined);
    socket.on("close", () => {
      for (const cancel of cancels.values()) cancel();
    });
    socket.on("data", (chunk: string) => {
      buffer += chunk;
      const lines = buffer.split("\n");
      buffer = lines.pop() ?? "";
      if (buffer.length > MAX_REQUEST) socket.destroy();
      for (const line of lines) take(line);
    });
    const take = (line: string): void => {
      let request: Request;
      try {
        request = JSON.parse(line) as Request;
      } catch {
        socket.destroy();
        return;
      }
      if (request.ask === "cancel") return cancels.get(request.cancel)?.();
      const { id } = request;
      answer(runs, info, request, { socket, id, onCancel: (cancel) => cancels.set(id, cancel) })
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
  });
}

/** false: the socket's buffer is full. */
const say = (socket: Socket, message: Answer): boolean => socket.destroyed || socket.write(`${JSON.stringify(message)}\n`);

async function answer(runs: Runs, info: ServerInfo, request: Request, asked: Asked): Promise<unknown> {
  switch (request.ask) {
    case "ping":
      return { protocol: VIEWER_PROTOCOL, version: info.version, pid: process.pid, startedAt: info.startedAt, stateDir: stateDir() } satisfies Pong;
    case "runs":
      return runs.summaries(request.all);
    case "run": {
      const { state, lines } = runs.find(request.run);
      return { state, events: lines.length, dir: runDir(request.run) };
    }
    case "up":
      return { run: await runs.start(request.spec, request.secrets, request.lent, request.by) };
    case "watch":
      return watch(runs, request, asked);
    case "logs":
      return logs(runs, request, asked);
    case "stop": {
      const { state } = runs.find(request.run);
      if (isOver(state)) return { over: true };
      const graceMs = request.graceMs ?? state.spec.timeouts.stopGraceMs;
      runs.get(request.run).driver.apply({ at: Date.now(), type: "stop-requested", by: request.by, why: request.why, graceMs });
      return { over: false };
    }
    case "exec":
      return execOnLink(
        runs.linkTo(request.host),
        request,
        (fd, data) => say(asked.socket, { id: asked.id, item: { kind: "output", fd, data: data.toString("base64") } }),
        asked.onCancel,
      );
    case "quit":
      setImmediate(info.quit);
      return null;
    case "cancel":
      return null;
    default:
      throw fail("USAGE", { what: "the controller does not know this request" });
  }
}

/** Registers a watcher until it is cancelled or the run is done. */
function follow(run: LiveRun, asked: Asked, watcher: Omit<Watcher, "done">): Promise<void> {
  return new Promise((resolve) => {
    const full: Watcher = { ...watcher, done: resolve };
    run.watchers.add(full);
    asked.onCancel(() => {
      run.watchers.delete(full);
      resolve();
    });
  });
}

function itemSender({ socket, id }: Asked): (item: Item) => void {
  let skipped = 0;
  return (item) => {
    if (item.kind === "line" && socket.writableLength > SLOW) {
      skipped += 1;
      return;
    }
    if (skipped > 0)
      say(socket, {
        id,
        item: { kind: "notice", host: null, text: `${skipped} log lines left out here, this terminal is too slow for them; nexadist logs has them all` },
      });
    skipped = 0;
    say(socket, { id, item });
  };
}

async function watch(runs: Runs, request: Request & { ask: "watch" }, asked: Asked): Promise<unknown> {
  const send = itemSender(asked);
  const { lines } = runs.find(request.run);
  for (const line of lines.slice(request.from)) send({ kind: "event", index: line.i, event: line.event });
  const run = runs.live.get(request.run);
  if (run === undefined) return null;
  for (const [host, text] of run.doing) send({ kind: "notice", host, text });
  await follow(run, asked, {
    line: (line) => send({ kind: "event", index: line.i, event: line.event }),
    log: request.logs ? (line) => send({ kind: "line", line }) : null,
    notice: (host, text) => send({ kind: "notice", host, text }),
  });
  return null;
}

async function logs(runs: Runs, request: Request & { ask: "logs" }, asked: Asked): Promise<unknown> {
  const { state } = runs.find(request.run);
  const { socket } = asked;
  let cancelled = false;
  asked.onCancel(() => (cancelled = true));
  const run = runs.live.get(request.run);
  const live: Item[] = [];
  const send = itemSender(asked);
  let hold = true;
  const isWanted = matches(request.want);
  const following =
    run === undefined || !request.want.follow
      ? Promise.resolve()
      : follow(run, asked, {
          line: () => undefined,
          notice: () => undefined,
          log: (line) => isWanted(line) && (hold ? live.push({ kind: "line", line }) : send({ kind: "line", line })),
        });
  for await (const line of readLogs(join(runDir(request.run), "logs"), request.want, state.attempt)) {
    if (cancelled || socket.destroyed) return null;
    if (!say(socket, { id: asked.id, item: { kind: "line", line } })) await drained(socket);
  }
  hold = false;
  live.forEach(send);
  await following;
  return null;
}

const drained = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    socket.once("drain", resolve);
    socket.once("close", () => resolve());
  });
