/** Runs the CLI as a person does: a process of its own, in a directory of its own, with nothing of the person who runs the tests. */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

export const ENTRY = fileURLToPath(new URL("../../controller/cli/entry.ts", import.meta.url));

export type Said = { readonly code: number | null; readonly signal: string | null; readonly out: string; readonly err: string };
export type Running = {
  readonly child: ChildProcess;
  readonly done: Promise<Said> /** Resolves once both streams together hold the pattern. */;
  readonly says: (pattern: RegExp) => Promise<void>;
};
export type Place = { readonly dir: string; readonly home: string; readonly write: (path: string, text: string) => string };

export function place(t: TestContext): Place {
  const dir = mkdtempSync(join(tmpdir(), "nexa-cli-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const home = join(dir, "home");
  mkdirSync(home);
  return {
    dir,
    home,
    write: (path, text) => {
      writeFileSync(join(dir, path), text);
      return join(dir, path);
    },
  };
}

const DEADLINE_MS = 60_000;

export function start(t: TestContext, at: Place, args: readonly string[], env: Record<string, string> = {}): Running {
  const child = spawn(process.execPath, [ENTRY, ...args], {
    cwd: at.dir,
    env: { PATH: process.env.PATH ?? "", HOME: at.home, LANG: "C.UTF-8", TZ: "UTC", NEXADIST_STATE_DIR: join(at.dir, "state"), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  t.after(() => child.kill("SIGKILL"));
  let out = "";
  let err = "";
  const looks: (() => void)[] = [];
  const look = (): void => {
    for (const one of looks) one();
  };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
    look();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
    look();
  });
  const done = new Promise<Said>((resolve) => child.once("close", (code, signal) => resolve({ code, signal, out, err })));
  const says = (pattern: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`never said ${pattern}:\n${out}\n${err}`)), DEADLINE_MS);
      const one = (): void => {
        if (!pattern.test(`${out}\n${err}`)) return;
        clearTimeout(timer);
        resolve();
      };
      looks.push(one);
      one();
      void done.then(() => {
        one();
        clearTimeout(timer);
        reject(new Error(`ended without saying ${pattern}:\n${out}\n${err}`));
      });
    });
  return { child, done, says };
}

export const nexadist = (t: TestContext, at: Place, args: readonly string[], env: Record<string, string> = {}): Promise<Said> => start(t, at, args, env).done;
