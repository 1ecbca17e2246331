/** A viewers' server of the controller over scripted runs, and raw viewers on real sockets. */

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { RunEvent } from "../../cluster/run/events.ts";
import { replay } from "../../cluster/run/reduce.ts";
import type { Answer, LogQuery, Request } from "../../cluster/viewer.ts";
import { feedLines } from "../../controller/daemon/line-feed.ts";
import { openLogStore } from "../../controller/daemon/log-store.ts";
import type { Runs, Watcher } from "../../controller/daemon/runs.ts";
import { serveViewers } from "../../controller/daemon/viewers.ts";
import { lifeOf, SPEC } from "./fake-controller.ts";

export const RUN = SPEC.run;
export const MIB = 1024 * 1024;
export const ALL: LogQuery = { hosts: null, ranks: null, streams: ["out", "err", "launcher"], attempt: null, since: null, last: null, follow: false };
export const RUNNING = lifeOf(SPEC, "running");
export const HOST = SPEC.hosts[0] ?? assert.fail();

export type Exec = { readonly output: (fd: 1 | 2, data: Buffer) => unknown; readonly end: (exit: object) => void; kills: number };

/** The viewers' server before a run that the test drives. */
export async function serve(t: TestContext, options: { isLive?: boolean; until?: "running" | "succeeded" } = {}) {
  const dir = mkdtempSync(join(tmpdir(), "nexa-viewers-"));
  const before = process.env.NEXADIST_STATE_DIR;
  process.env.NEXADIST_STATE_DIR = dir;
  mkdirSync(join(dir, "runs", RUN), { recursive: true, mode: 0o700 });
  const store = openLogStore(join(dir, "runs", RUN, "logs"));
  const events = lifeOf(SPEC, options.until ?? "running");
  const lines = events.map((event, i) => ({ i, event }));
  const watchers = new Set<Watcher>();
  const live = new Map(options.isLive === false ? [] : [[RUN, { watchers, lines, doing: new Map() }]]);
  const feed = feedLines((line) => {
    for (const w of watchers) w.log?.(line);
  }, store.unfinished);
  const execs: Exec[] = [];
  const link = {
    exec: (_: string[], output: Exec["output"], onCancel: (cancel: () => void) => void) =>
      new Promise((end) => {
        const exec: Exec = { output, end, kills: 0 };
        onCancel(() => {
          exec.kills += 1;
          end({ code: null, signal: "SIGKILL" });
        });
        execs.push(exec);
      }),
  };
  const runs = { find: () => ({ state: replay(events), lines }), live, linkTo: () => ({ current: () => ({ link }) }) } as unknown as Runs;
  const server = serveViewers(runs, { version: "t", build: "t", startedAt: 0, quit: () => undefined });
  const sockets: Socket[] = [];
  const served: Socket[] = [];
  server.on("connection", (socket) => served.push(socket));
  const path = join(dir, "s");
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    store.close();
    if (before === undefined) delete process.env.NEXADIST_STATE_DIR;
    else process.env.NEXADIST_STATE_DIR = before;
    rmSync(dir, { recursive: true });
  });
  const write = (text: string, stream = "a1/rank0.out"): void => {
    const offset = store.size("gpu-a", stream);
    feed.push("gpu-a", stream, store.write("gpu-a", stream, offset, Buffer.from(text), Date.now()), Date.now());
  };
  const open = async (): Promise<Viewer> => {
    const socket = connect(path);
    sockets.push(socket);
    await Promise.all([new Promise((resolve) => socket.once("connect", resolve)), new Promise((resolve) => server.once("connection", resolve))]);
    return viewer(socket, served.at(-1) ?? assert.fail());
  };
  /** A new event of the run. */
  const append = (event: RunEvent): void => {
    const line = { i: lines.length, event };
    lines.push(line);
    for (const w of [...watchers]) w.line(line, replay(events));
  };
  return { open, store, write, append, watchers, execs, tell: (tell: (w: Watcher) => void) => [...watchers].forEach(tell) };
}

export type Viewer = ReturnType<typeof viewer>;
export type Wire = Omit<Request, "id"> & Record<string, unknown>;

export function viewer(socket: Socket, there: Socket) {
  const answers: Answer[] = [];
  let rest = "";
  let wake = (): void => undefined;
  let isClosed = false;
  socket.setEncoding("utf8").on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) answers.push(JSON.parse(line) as Answer);
    wake();
  });
  socket.on("error", () => undefined);
  socket.on("close", () => {
    isClosed = true;
    wake();
  });
  /** Waits for an answer, with the test's own deadline; undefined: the connection closed without. */
  const until = async (holds: (answer: Answer) => boolean): Promise<Answer | undefined> => {
    for (let from = 0; ; ) {
      for (; from < answers.length; from += 1) if (holds(answers[from] as Answer)) return answers[from];
      if (isClosed) return undefined;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return {
    socket,
    there,
    answers,
    until,
    ask: (request: Wire & { id: number }) => void socket.write(`${JSON.stringify(request)}\n`),
    isEnd: (answer: Answer) => !("item" in answer),
    lines: () => answers.flatMap((a) => ("item" in a && a.item.kind === "line" ? [a.item.line.text] : [])),
    kinds: () => answers.map((a) => ("item" in a ? a.item.kind : "end" in a ? "end" : a.problem.code)),
    notices: () => answers.flatMap((a) => ("item" in a && a.item.kind === "notice" ? [a.item.text] : [])),
  };
}

/** Waits until something that no event tells of holds. */
export async function holds(what: () => boolean): Promise<void> {
  for (const end = Date.now() + 20_000; !what(); await new Promise((resolve) => setImmediate(resolve))) assert.ok(Date.now() < end, what.toString());
}

export const LIMIT = { timeout: 60_000 };
