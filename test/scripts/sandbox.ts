/** A directory with copies of some of our scripts and a PATH of chosen tools, so that a test decides what the machine has. */

import { spawn } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export type Ran = { readonly code: number | null; readonly stdout: string; readonly stderr: string };
export type Sandbox = {
  readonly dir: string;
  /** A file; one that opens with #! may be executed. */
  readonly write: (path: string, text: string) => string;
  readonly copy: (path: string, to?: string) => void;
  /** Puts a fake tool on the PATH: a sh script of `body`. */
  readonly fake: (name: string, body: string) => void;
  readonly run: (argv: readonly string[], env?: Readonly<Record<string, string>>) => Promise<Ran>;
};

/** What our sh scripts use of a system, besides what a test puts there. */
const COREUTILS = ["sh", "cat", "cmp", "dirname", "env", "find", "mkdir", "readlink", "rm", "sed", "sleep", "tail", "chmod", "id", "pwd", "touch"];

export function makeSandbox(t: TestContext): Sandbox {
  const dir = mkdtempSync(join(tmpdir(), "nexadist-test-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const bin = join(dir, "bin");
  mkdirSync(bin);
  for (const tool of COREUTILS) symlinkSync(findTool(tool), join(bin, tool));
  const write = (path: string, text: string): string => {
    const file = join(dir, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    if (text.startsWith("#!")) chmodSync(file, 0o755);
    return file;
  };
  return {
    dir,
    write,
    copy: (path, to = path) => cpSync(join(root, path), join(dir, to), { recursive: true }),
    fake: (name, body) => write(`bin/${name}`, `#!/bin/sh\n${body}\n`),
    run: ([command = "", ...args], env = {}) => runProgram(command, args, { PATH: bin, HOME: dir, ...env }),
  };
}

export function findTool(name: string): string {
  const dir = (process.env.PATH ?? "").split(delimiter).find((candidate) => existsSync(join(candidate, name)));
  if (dir === undefined) throw new Error(`this machine has no ${name}`);
  return join(dir, name);
}

export function runProgram(command: string, args: readonly string[], env: Readonly<Record<string, string>>, cwd?: string): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, cwd, stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}
