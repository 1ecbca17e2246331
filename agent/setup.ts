/** Runs the user's `setup` lines in bash -l and gives the environment that they leave. */

import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fail } from "../cluster/errors.ts";
import type { Environment } from "./secret-files.ts";

const MINUTES = 10;
const LIMIT_MS = MINUTES * 60_000;
const OUTPUT_MAX = 2000;
const LINES_MAX = 10;

/**
 * A command that fails at the top level of the lines ends them; inside functions and sourced files (modules, conda) failing is their business.
 * fd 3: "line N" of the failure, or the environment, NUL between, after an empty entry.
 */
const WRAPPER = `
__nexadist_file=$1
shift
"$BASH" -n "$__nexadist_file" || exit 2
trap '__nexadist_status=$?; if [ "\${BASH_SOURCE[0]}" = "$__nexadist_file" ]; then printf "line %s" "$LINENO" >&3; exit $__nexadist_status; fi' ERR
. "$__nexadist_file"
trap - ERR
unset __nexadist_file __nexadist_status
printf "\\0" >&3
PATH=$PATH:/usr/bin:/bin command env -u BASH_ENV -0 >&3
`;

/** `workDir` holds two 0600 files while it runs: it must be in memory. Errors: SETUP_FAILED, SETUP_TIMEOUT. */
export async function runSetup(
  lines: string,
  base: Environment,
  cwd: string,
  workDir: string,
  limitMs = LIMIT_MS,
  stopped?: AbortSignal,
): Promise<Environment> {
  mkdirSync(workDir, { recursive: true, mode: 0o700 });
  const script = join(workDir, "setup.sh");
  const result = join(workDir, "setup.env");
  const output = join(workDir, "setup.out");
  writeFileSync(script, lines.endsWith("\n") ? lines : `${lines}\n`, { mode: 0o600 });
  const fds = [openSync(output, "w", 0o600), openSync(result, "w", 0o600)] as const;
  try {
    const end = await runBash(script, base, cwd, fds, limitMs, stopped);
    const said = lastLines(readFileSync(output, "utf8"));
    if (end === "timeout") throw fail("SETUP_TIMEOUT", { seconds: Math.round(limitMs / 1000), output: said });
    const found = readFileSync(result, "utf8");
    if (found.startsWith("\0")) return parseEnvironment(found.slice(1));
    const line = /^line (\d+)/.exec(found)?.[1];
    throw fail("SETUP_FAILED", { line, why: line === undefined ? `${end}, before its last line` : `${textOf(lines, Number(line))} (${end})`, output: said });
  } finally {
    for (const fd of fds) closeSync(fd);
    for (const path of [script, result, output]) rmSync(path, { force: true });
  }
}

function runBash(
  script: string,
  env: Environment,
  cwd: string,
  [output, result]: readonly [number, number],
  limitMs: number,
  stopped?: AbortSignal,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn("bash", ["-l", "-c", WRAPPER, "nexadist", script], { cwd, env, stdio: ["ignore", output, output, result], detached: true });
    const end = (why: string): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      } catch {
        // It ended at this very moment.
      }
      resolve(why);
    };
    const timer = setTimeout(() => end("timeout"), limitMs);
    stopped?.addEventListener("abort", () => end("the run was stopped"), { once: true });
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(fail("SETUP_FAILED", { why: `bash cannot be started: ${error.message}` }, error));
    });
    child.on("exit", (code, signal) => {
      clearTimeout(timer);
      resolve(signal === null ? `exit ${code}` : signal);
    });
  });
}

const textOf = (lines: string, line: number): string => (lines.split("\n")[line - 1] ?? "").trim().slice(0, 200);

const lastLines = (text: string): string => text.trim().split("\n").slice(-LINES_MAX).join("\n").slice(-OUTPUT_MAX);

/** What the shell itself keeps is not the session's. */
const OF_THE_SHELL = new Set(["_", "SHLVL", "OLDPWD"]);

export function parseEnvironment(text: string): Environment {
  const found: Record<string, string> = {};
  for (const entry of text.split("\0")) {
    const at = entry.indexOf("=");
    const name = entry.slice(0, at);
    if (at > 0 && !OF_THE_SHELL.has(name)) found[name] = entry.slice(at + 1);
  }
  return found;
}
