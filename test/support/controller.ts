/** A controller of a test's own in a lab: the CLI as a person runs it there, its state and directory apart; what it journaled; its end. */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { RunEvent } from "../../cluster/run/events.ts";
import { replay } from "../../cluster/run/reduce.ts";
import type { RunState } from "../../cluster/run/state.ts";
import type { Pong } from "../../cluster/viewer.ts";
import { type Client, openClient } from "../../controller/cli/client.ts";
import { type JournalLine, readLines } from "../../controller/daemon/journal.ts";
import type { Lab } from "./lab.ts";

export const NEXADIST = fileURLToPath(new URL("../../scripts/nexadist", import.meta.url));

export type Said = { readonly code: number | null; readonly signal: string | null; readonly out: string; readonly err: string };
export type Cli = {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly done: Promise<Said>;
  /** Resolves once both streams together hold the pattern. */
  readonly says: (pattern: RegExp) => Promise<void>;
  /** What both streams hold so far. */
  readonly text: () => string;
};

export type Seat = {
  readonly lab: Lab;
  /** Where the CLI runs: outside any checkout. */
  readonly dir: string;
  readonly stateDir: string;
  readonly write: (path: string, text: string) => string;
  readonly start: (args: readonly string[], options?: CliOptions) => Cli;
  readonly cli: (args: readonly string[], options?: CliOptions) => Promise<Said>;
  /** Starts it detached; its id, once the controller has it. */
  readonly up: (args: readonly string[], options?: CliOptions) => Promise<string>;
  /** Waits for the first truthy answer over the run's events so far. */
  readonly wait: <T>(run: string, what: string, look: (events: readonly RunEvent[], state: RunState) => T | null | undefined | false) => Promise<T>;
  readonly ended: (run: string) => Promise<RunState>;
  readonly latest: () => string;
  readonly log: (run: string, host: string, stream: string, attempt?: number) => string;
  readonly quit: () => Promise<void>;
};

/** `limitMs`: for a command that rightly lasts longer than others. */
export type CliOptions = { readonly env?: Readonly<Record<string, string>>; readonly cwd?: string; readonly limitMs?: number };

const DEADLINE_MS = 60_000;
/** No command of a test lasts this long: one that hangs is ended, and the test fails with what it said. */
const CLI_MS = 90_000;

export function openSeat(t: TestContext, lab: Lab): Seat {
  const dir = mkdtempSync(join(tmpdir(), "nexa-e2e-"));
  const stateDir = join(dir, "state");
  const cwd = join(dir, "job");
  mkdirSync(cwd);
  const started: Cli[] = [];
  const quit = (): Promise<void> => quitController(stateDir);
  t.after(async () => {
    for (const { child } of started) child.kill("SIGKILL");
    await quit();
    rmSync(dir, { recursive: true, force: true });
  });
  const start = (args: readonly string[], options: CliOptions = {}): Cli => {
    const cli = startCli(lab, args, { cwd: options.cwd ?? cwd, env: { NEXADIST_STATE_DIR: stateDir, ...options.env }, limitMs: options.limitMs ?? CLI_MS });
    started.push(cli);
    return cli;
  };
  return {
    lab,
    dir: cwd,
    stateDir,
    write: (path, text) => {
      mkdirSync(dirname(join(cwd, path)), { recursive: true });
      writeFileSync(join(cwd, path), text);
      return join(cwd, path);
    },
    start,
    cli: (args, options) => start(args, options).done,
    up: async (args, options) => {
      const { code, out, err } = await start(["--json", "up", "-d", ...args], options).done;
      if (code !== 0) throw new Error(`up ended with ${code}: ${out}\n${err}`);
      return (JSON.parse(out) as { run: string }).run;
    },
    wait: (run, what, look) => waitFor(stateDir, run, what, look),
    ended: (run) => waitFor(stateDir, run, "its end", (_, state) => (state.endedAt === null ? null : state)),
    latest: () => (existsSync(join(stateDir, "runs")) ? (readdirSync(join(stateDir, "runs")).sort().at(-1) ?? "") : ""),
    log: (run, host, stream, attempt = 1) => {
      const path = join(stateDir, "runs", run, "logs", `a${attempt}`, encodeURIComponent(host), stream);
      return existsSync(path) ? readFileSync(path, "utf8") : "";
    },
    quit,
  };
}

export function startCli(
  lab: Lab,
  args: readonly string[],
  options: { readonly cwd: string; readonly env: Readonly<Record<string, string>>; readonly limitMs?: number },
): Cli {
  const [program, ...words] = lab.argv([NEXADIST, ...args]);
  const child = spawn(program, words, {
    cwd: options.cwd,
    env: { PATH: process.env.PATH ?? "", LANG: "C.UTF-8", TZ: "UTC", ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  let err = "";
  const looks = new Set<() => void>();
  const look = (): void => {
    for (const one of [...looks]) one();
  };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
    look();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
    look();
  });
  const late = setTimeout(() => child.kill("SIGKILL"), options.limitMs ?? CLI_MS);
  const done = new Promise<Said>((resolve) =>
    child.once("close", (code, signal) => {
      clearTimeout(late);
      resolve({ code, signal, out, err });
    }),
  );
  const says = (pattern: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      const end = (act: () => void): void => {
        looks.delete(one);
        clearTimeout(timer);
        act();
      };
      const timer = setTimeout(() => end(() => reject(new Error(`never said ${pattern}:\n${out}\n${err}`))), DEADLINE_MS);
      const one = (): void => {
        if (pattern.test(`${out}\n${err}`)) end(resolve);
      };
      looks.add(one);
      one();
      void done.then(() => looks.has(one) && end(() => reject(new Error(`ended without saying ${pattern}:\n${out}\n${err}`))));
    });
  return { child, pid: child.pid ?? 0, done, says, text: () => `${out}\n${err}` };
}

export function readJournal(stateDir: string, run: string): JournalLine[] {
  const path = join(stateDir, "runs", run, "journal.jsonl");
  return existsSync(path) ? readLines(readFileSync(path)).lines : [];
}

export async function waitFor<T>(
  stateDir: string,
  run: string,
  what: string,
  look: (events: readonly RunEvent[], state: RunState) => T | null | undefined | false,
  deadlineMs = DEADLINE_MS,
): Promise<T> {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    const events = readJournal(stateDir, run).map((line) => line.event);
    const found = events.length > 0 ? look(events, replay(events)) : null;
    if (found !== null && found !== undefined && found !== false) return found;
    if (Date.now() > deadline)
      throw new Error(
        `${run}: ${what} did not come; last:\n${events
          .slice(-8)
          .map((e) => JSON.stringify(e).slice(0, 400))
          .join("\n")}`,
      );
    await delay(40);
  }
}

/** Polls anything else until it is so. */
export async function until<T>(
  what: string,
  look: () => T | null | undefined | false | Promise<T | null | undefined | false>,
  deadlineMs = DEADLINE_MS,
): Promise<T> {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    const found = await look();
    if (found !== null && found !== undefined && found !== false) return found;
    if (Date.now() > deadline) throw new Error(`${what}: did not come about`);
    await delay(40);
  }
}

async function talkTo(stateDir: string): Promise<{ client: Client; pong: Pong } | null> {
  try {
    const client = await openClient(join(stateDir, "controller.sock"));
    return { client, pong: (await client.ask({ ask: "ping" })) as Pong };
  } catch {
    return null;
  }
}

/** null: none runs. */
export async function controllerPid(stateDir: string): Promise<number | null> {
  const found = await talkTo(stateDir);
  found?.client.close();
  return found?.pong.pid ?? null;
}

/** Resolves when it is gone; fine when there is none. */
export async function quitController(stateDir: string): Promise<void> {
  const found = await talkTo(stateDir);
  if (found === null) return;
  found.client.ask({ ask: "quit" }).catch(() => undefined);
  await until("the controller's end", () => !isRunning(found.pong.pid), 15_000);
  found.client.close();
}

/** A zombie does not run any more. */
export function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
