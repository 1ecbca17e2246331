/** Watches one run until it ends or the person leaves; a controller that dies meanwhile is started again and goes on. */

import { userInfo } from "node:os";
import { fail, NexaError } from "../../cluster/errors.ts";
import { isOver, type RunState } from "../../cluster/run/state.ts";
import { liveLines } from "../../cluster/view/summary.ts";
import type { Item } from "../../cluster/viewer.ts";
import type { Client } from "./client.ts";
import type { Context } from "./context.ts";
import { findOrStartDaemon } from "./daemon-start.ts";
import { lastWords } from "./last-words.ts";
import { askLeave } from "./leave.ts";
import { rejoin } from "./rejoin.ts";
import { room } from "./room.ts";
import { createRunPrinter } from "./run-printer.ts";
import { createScreen } from "./screen.ts";

export type WatchOptions = {
  /** What is known already: events before `events` are not told. null: from the beginning. */
  readonly known: { readonly state: RunState; readonly events: number } | null;
  /** So many log lines of before, first of all. */
  readonly last?: number;
  /** Without a terminal, SIGINT and SIGTERM stop the run (for the `up` that started it); else they leave it. */
  readonly stopsOnSignal: boolean;
  /** Another one in place of a controller that is gone; absent: that of this machine. */
  readonly find?: () => Promise<Client>;
  readonly ended?: (state: RunState) => Promise<void>;
  /** No log lines. */
  readonly isSilent?: true;
};

export const whoAsks = (): string => `${userInfo().username} (pid ${process.pid})`;

/** Times in a row that a lost controller is looked for without anything new from it. */
const LOST_MAX = 3;

export async function watchRun(context: Context, first: Client, run: string, options: WatchOptions): Promise<number> {
  const screen = createScreen(process.stdout, process.stderr, !context.json && context.env.TERM !== "dumb");
  const printer = createRunPrinter(context, screen, options.known);
  const findAgain = rejoin(first, run, options.find ?? findOrStartDaemon);
  let client = first;
  /** Of a file or a pipe every line is kept, however slow it is; a terminal shows the present. */
  const isTerminal = process.stdout.isTTY === true;
  const left = new AbortController();
  const gone = new Promise<void>((resolve) => left.signal.addEventListener("abort", () => resolve()));
  let asked: Promise<void> = Promise.resolve();
  let isLeft = false;
  let isAsking = false;
  let signals = 0;

  const tell = (text: string): void => (context.json ? printer.take({ kind: "notice", host: null, text }) : screen.err(text));
  const leave = (): void => {
    isLeft = true;
    left.abort();
    client.close();
  };
  const stop = (graceMs: number | null, why: string): void => {
    client.ask({ ask: "stop", run, graceMs, by: whoAsks(), why }).catch((error: unknown) => {
      if (!isLeft) screen.err(`could not ask the controller: ${error instanceof Error ? error.message : String(error)}`);
    });
  };
  const ask = async (): Promise<void> => {
    if (isAsking) return leave();
    isAsking = true;
    screen.hold(true);
    const choice = await askLeave(process.stdin, (text) => void process.stderr.write(text));
    screen.hold(false);
    isAsking = false;
    if (choice === "detach") leave();
    else if (choice !== "back") stop(choice === "kill" ? 0 : null, choice === "kill" ? "killed from the terminal" : "stopped from the terminal");
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    if (signal === "SIGINT" && context.isInteractive) {
      const answered = ask();
      asked = Promise.race([answered, gone]);
      return;
    }
    if (signal === "SIGHUP" || !options.stopsOnSignal || context.isInteractive) return leave();
    signals += 1;
    if (signals > 1) return leave();
    context.say(`${signal}: stopping ${run}; once more leaves it running`);
    stop(null, `${signal} to the command that watched it`);
  };
  const caught = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  /** Whoever read our lines is gone (`| head`): the process is about to end, the run goes on. */
  const onUnread = (error: NodeJS.ErrnoException): void => {
    const state = printer.state();
    if (error.code === "EPIPE" && state !== null && !isOver(state)) for (const line of liveLines(run, state.phase)) context.say(line);
  };
  process.stdout.prependListener("error", onUnread);
  for (const signal of caught) process.on(signal, onSignal);
  try {
    let lost = 0;
    let last = options.last;
    let heardAt = Date.now();
    const hear = (item: Item): void => {
      heardAt = Date.now();
      printer.take(item);
    };
    for (;;) {
      const seen = printer.next();
      try {
        const request = {
          ask: "watch" as const,
          run,
          from: printer.next(),
          logs: options.isSilent !== true,
          ...(last === undefined ? {} : { last }),
          ...(isTerminal ? {} : { whole: true as const }),
        };
        for await (const item of client.stream(request)) {
          hear(item);
          if (!isTerminal) await asked.then(() => room(left.signal)); // what comes while a question stands there waits where it is
        }
        break;
      } catch (error) {
        if (isLeft) break;
        const known = printer.state();
        if (error instanceof NexaError && error.code === "NO_RUN" && known !== null && !isOver(known))
          throw fail("RUN_FORGOTTEN", { run, file: known.spec.file ?? "FILE" });
        lost = printer.next() > seen ? 1 : lost + 1;
        if (!(error instanceof NexaError) || error.code !== "CONTROLLER_LOST" || lost > LOST_MAX) throw error;
        tell("the controller is gone, training is not; starting it again");
        client = await findAgain();
        last = undefined;
        // The stored lines carry the second they came in; which of them were shown here cannot be told.
        const seconds = Math.ceil((Date.now() - heardAt) / 1000) + 2;
        tell(`log lines of the last ${seconds} s may be missing here: nexadist logs ${run} --since ${seconds}s`);
      }
    }
    const state = printer.state();
    if (state !== null && isOver(state)) await options.ended?.(state);
    return printer.finish(run, isLeft, isLeft || state === null ? [] : await lastWords(client, state));
  } finally {
    screen.live([]);
    for (const signal of caught) process.off(signal, onSignal);
    process.stdout.off("error", onUnread);
    client.close();
  }
}
