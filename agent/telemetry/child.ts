/**
 * Programs that may hang in the kernel, flood or die: asked once with a limit, or read line by line for as long as they live. Nothing waits for one that
 * cannot be killed. child_process, not execa: that takes 6.6 MB of an agent's memory.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { join } from "node:path";

/** More than 16 GPUs' whole answers; a program that says more is cut off. In bytes. */
const OUT_MAX = 512 * 1024;
const LINE_MAX = 16 * 1024;

/** Also where a session's PATH lacks it: WSL keeps it apart. */
export function findProgram(name: string): string | null {
  const dirs = [...(process.env.PATH ?? "").split(":"), "/usr/bin", "/usr/local/bin", "/opt/rocm/bin", "/usr/lib/wsl/lib"].filter((dir) => dir !== "");
  return dirs.map((dir) => join(dir, name)).find(mayRun) ?? null;
}

function mayRun(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function start(program: string, args: readonly string[]): ChildProcess {
  // A group of its own, so that a kill reaches what it started; words, not translations.
  return spawn(program, args, { cwd: "/", env: { ...process.env, LANG: "C.UTF-8", LC_ALL: "C.UTF-8" }, stdio: ["ignore", "pipe", "pipe"], detached: true });
}

function kill(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  } catch {
    // gone by itself
  }
}

/** code null: it was cut off, see `cut`. `gone` settles when the process is no more: one in the hands of a stuck driver may stay. */
export type Answer = {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
  readonly cut: "late" | "long" | null;
  readonly gone: Promise<void>;
};

/** Never rejects. */
export function askProgram(program: string, args: readonly string[], limitMs: number, closing?: AbortSignal): Promise<Answer> {
  return new Promise((resolve) => {
    const child = start(program, args);
    const { promise: gone, resolve: isGone } = Promise.withResolvers<void>();
    let out = "";
    let err = "";
    const settle = (code: number | null, cut: Answer["cut"]): void => {
      clearTimeout(timer);
      closing?.removeEventListener("abort", abort);
      if (cut !== null) kill(child);
      child.stdout?.destroy();
      child.stderr?.destroy();
      resolve({ code, out, err, cut, gone });
    };
    const abort = (): void => settle(null, "late");
    const timer = setTimeout(() => settle(null, "late"), limitMs);
    closing?.addEventListener("abort", abort);
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      out += text;
      if (out.length > OUT_MAX) settle(null, "long");
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      if (err.length < LINE_MAX) err += text.slice(0, LINE_MAX);
    });
    child.on("error", (error) => {
      err += error.message;
      isGone();
      settle(127, null);
    });
    child.on("exit", () => isGone());
    child.on("close", (code, signal) => settle(code ?? (signal === null ? 1 : 128), null));
  });
}

export type Lines = { readonly kill: () => void; readonly end: Promise<{ readonly code: number | null; readonly err: string }> };

/** `end` settles when its process is gone. A line without end is cut. */
export function readLines(program: string, args: readonly string[], onLine: (line: string) => void, onBytes: (count: number) => void): Lines {
  const child = start(program, args);
  let rest = "";
  let err = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    onBytes(text.length);
    const lines = (rest + text).split("\n");
    rest = (lines.pop() ?? "").slice(-LINE_MAX);
    for (const line of lines) onLine(line.slice(0, LINE_MAX));
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    if (err.length < LINE_MAX) err += text.slice(0, LINE_MAX);
  });
  const end = new Promise<{ code: number | null; err: string }>((resolve) => {
    child.on("error", (error) => resolve({ code: 127, err: err + error.message }));
    child.on("close", (code) => resolve({ code, err }));
  });
  return { end, kill: () => kill(child) };
}
