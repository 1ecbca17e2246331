/** Opens the screen on this terminal and gives it back when the person leaves. Loaded only when it is shown. */

import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { isOver, type RunState } from "../cluster/run/state.ts";
import type { Terminal } from "./app.ts";
import { holdStreams, RESET } from "./hold-terminal.ts";
import { startReader } from "./reader.ts";
import { ringFor } from "./ring.ts";
import { allScreens } from "./screens.ts";
import { createShell } from "./shell.ts";
import type { Source } from "./source.ts";
import { createStore } from "./store.ts";

export type TuiOptions = {
  readonly source: Source;
  /** Another one in place of a source that is gone. */
  readonly find: () => Promise<Source>;
  /** null: the list of runs. */
  readonly run: string | null;
  readonly isReadonly: boolean;
  readonly isAscii: boolean;
  readonly hasColour: boolean;
  /** Who asks, for the record. */
  readonly by: string;
  /** argv of a command of our own. */
  readonly own: (args: readonly string[]) => readonly string[];
  /** Once the run has ended as it should and nobody is reading: what follows `up` in a script goes on. */
  readonly leavesWhenWell: boolean;
  /** Where a bug of the screen is written down. */
  readonly crashFile: string;
};

export type TuiEnd = {
  readonly run: string | null;
  /** As it was known last. */
  readonly state: RunState | null;
  /** The last that was talked to, still open. */
  readonly source: Source;
  /** What broke the screen; null: nothing did. */
  readonly crash: unknown;
  /** Why nothing could be read any more; null: the person left. */
  readonly replaced: Error | null;
};

const WAIT = ["sh", "-c", "printf '\\nenter comes back '; read -r _"] as const;
const CAUGHT = ["SIGTERM", "SIGHUP"] as const;

export async function openTui(options: TuiOptions): Promise<TuiEnd> {
  const loading = loadApp();
  const { source, find, isReadonly, isAscii, hasColour, by, own } = options;
  const store = createStore({ isReadonly, clock: Date.now, replay: source.replay ?? null });
  let run = options.run;
  let terminal: Terminal | null = null;
  let crash: unknown = null;
  let replaced: Error | null = null;
  let isGiven = false;

  const given = async (work: () => Promise<void> | void): Promise<void> => {
    if (terminal === null || isGiven) return;
    isGiven = true;
    try {
      await terminal.suspendTerminal(work);
    } finally {
      isGiven = false;
    }
  };
  const exit = (): void => terminal?.exit();
  const size = () => ({ columns: process.stdout.columns ?? 80, rows: process.stdout.rows ?? 24 });
  const reader = startReader({
    ...{ source, find, store, say: (text, isBad) => shell.say(text, isBad) },
    replaced: (error) => {
      replaced = error;
      exit();
    },
  });
  const shell = createShell({
    model: store.snapshot,
    size,
    isAscii,
    screens: allScreens(reader),
    first: run === null ? "runs" : "overview",
    by,
    ...(source.replay === undefined ? {} : { replay: source.replay }),
    world: {
      ask: reader.ask,
      own,
      exit,
      handOver: async (argv, input, waits) => {
        let problem: string | null = null;
        await given(async () => {
          problem = await runThere(argv, input);
          if (waits) await runThere(WAIT, undefined);
        });
        return problem;
      },
      // OSC 52: the terminal's own clipboard, also through SSH.
      copy: (text) => void held.stdout.write(`\u001b]52;c;${Buffer.from(text).toString("base64")}\u0007`),
      suspend: () => void given(() => void process.kill(process.pid, "SIGSTOP")).catch(fail),
      redraw: () => void given(() => undefined).catch(fail),
      watch: (wanted) => {
        run = wanted;
        reader.watch(wanted);
      },
    },
  });
  const fail = (error: unknown): void => {
    crash ??= error;
    unmount();
  };
  const onInterrupt = (): void => {
    if (!isGiven) shell.press(["ctrl-c"]);
  };

  const leaveWhenWell = (): void => {
    const state = store.snapshot().run?.state;
    if (state !== undefined && isOver(state) && state.phase !== "failed" && shell.isAtRest()) exit();
  };
  if (options.leavesWhenWell) store.subscribe(leaveWhenWell);

  reader.watch(run);
  // What the controller answers meanwhile is on the first picture.
  const { render, drawApp } = await loading;
  const held = holdStreams();
  if (source.replay === undefined) ringFor(store, process.env, (bytes) => void held.stdout.write(bytes));
  let unmount = (): void => undefined;
  for (const signal of CAUGHT) process.on(signal, exit);
  process.on("SIGINT", onInterrupt).on("uncaughtException", fail).on("unhandledRejection", fail);
  try {
    const app = drawApp({
      ...{ shell, store, isAscii },
      theme: hasColour ? "colour" : "mono",
      onTerminal: (now: Terminal) => {
        terminal = now;
      },
    });
    const ink = render(app, {
      ...{ stdout: held.stdout, alternateScreen: true, incrementalRendering: true, exitOnCtrlC: false, patchConsole: false },
      ...{ interactive: true, isScreenReaderEnabled: false, maxFps: 30 },
    });
    unmount = ink.unmount;
    await ink.waitUntilExit();
  } catch (error) {
    crash ??= error;
  } finally {
    for (const signal of CAUGHT) process.off(signal, exit);
    process.off("SIGINT", onInterrupt).off("uncaughtException", fail).off("unhandledRejection", fail);
    const others = held.release();
    if (crash !== null) process.stdout.write(RESET);
    if (process.stdin.isRaw) process.stdin.setRawMode(false);
    if (others !== "") process.stderr.write(others);
    if (crash !== null) writeDown(options.crashFile, crash);
  }
  const state = store.fold()?.state() ?? null;
  const last = reader.leave();
  store.close();
  return { run, state, source: last, crash, replaced };
}

/** React decides once, when it is loaded, whether it checks everything twice. */
async function loadApp() {
  const { env } = process;
  const before = env.NODE_ENV;
  env.NODE_ENV = "production";
  try {
    return await import("./app.ts");
  } finally {
    if (before === undefined) delete env.NODE_ENV;
    else env.NODE_ENV = before;
  }
}

/** null: it went well, or its own words are enough. */
function runThere(argv: readonly string[], input: string | undefined): Promise<string | null> {
  const [program = "", ...args] = argv;
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: [input === undefined ? "inherit" : "pipe", "inherit", "inherit"] });
    child.on("error", (error) => resolve(`${program}: ${error.message}`));
    child.on("exit", () => resolve(null));
    child.stdin?.on("error", () => undefined).end(input); // a pager that was left early reads no more
  });
}

function writeDown(path: string, crash: unknown): void {
  try {
    writeFileSync(path, `${crash instanceof Error ? (crash.stack ?? crash.message) : String(crash)}\n`, { mode: 0o600 });
  } catch {
    // Nothing can be said of a screen that broke on a full disk but that it broke.
  }
}
