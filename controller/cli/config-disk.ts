/** A run's configuration from this machine's disk: the cluster file, the person's own file, and what they name. */

import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { resolve } from "node:path";
import type { Files, FileText } from "../../cluster/config/files.ts";
import type { SourceFile } from "../../cluster/config/load.ts";
import { type ConfigProblem, formatProblem } from "../../cluster/config/problem.ts";
import { type Resolved, type RunInputs, resolveRun } from "../../cluster/config/resolve.ts";
import { fail, type NexaError } from "../../cluster/errors.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Nothing that a configuration names is near this; a larger file is the wrong one. */
const MAX_FILE_BYTES = 1024 * 1024;

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: "no such file",
  EACCES: "permission denied",
  EISDIR: "is a directory",
  ENOTDIR: "no such file",
  ELOOP: "a loop of symbolic links",
};

export const nodeFiles: Files = {
  read: readSmallFile,
  isFile: (path) => {
    try {
      return statSync(path).isFile();
    } catch {
      return false;
    }
  },
  isExecutable: (path) => ((statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o111) !== 0,
};

function readSmallFile(path: string): FileText {
  let fd: number | null = null;
  try {
    // A FIFO would block in open until somebody writes.
    if (!statSync(path).isFile()) return { ok: false, why: statSync(path).isDirectory() ? "is a directory" : "is not a regular file" };
    fd = openSync(path, "r");
    const { size } = fstatSync(fd);
    if (size > MAX_FILE_BYTES) return { ok: false, why: "is larger than 1 MiB" };
    const bytes = Buffer.alloc(MAX_FILE_BYTES + 1);
    let length = 0;
    for (let n = -1; n !== 0 && length < bytes.length; length += n) n = readSync(fd, bytes, length, bytes.length - length, null);
    if (length > MAX_FILE_BYTES) return { ok: false, why: "is larger than 1 MiB" };
    return { ok: true, text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.subarray(0, length)) };
  } catch (thrown) {
    if (thrown instanceof TypeError) return { ok: false, why: "is not text in UTF-8" };
    const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
    return { ok: false, why: WORDS[code] ?? String(thrown) };
  } finally {
    if (fd !== null) closeSync(fd);
  }
}

/** The file that was named, else ./cluster.yaml. Errors: CLUSTER_FILE. */
export function readClusterFile(named: string | undefined, cwd: string, command?: string): SourceFile {
  const name = named ?? "cluster.yaml";
  const path = resolve(cwd, name);
  const read = readSmallFile(path);
  if (!read.ok) throw fail("CLUSTER_FILE", { file: name, why: read.why, named: named !== undefined, ...(command === undefined ? {} : { command }) });
  return { path, name, text: read.text };
}

/** $XDG_CONFIG_HOME/nexadist/config.yaml. Errors: CLUSTER_FILE when it is there and cannot be read. */
export function readUserFile(env: Environment, home: string): SourceFile | null {
  const base = env.XDG_CONFIG_HOME;
  const path = resolve(base?.startsWith("/") ? base : `${home}/.config`, "nexadist/config.yaml");
  const read = readSmallFile(path);
  if (read.ok) return { path, name: path, text: read.text };
  if (read.why === WORDS.ENOENT) return null;
  throw fail("CLUSTER_FILE", { file: path, why: read.why, named: true });
}

export const homeOf = (env: Environment): string => (env.HOME?.startsWith("/") ? env.HOME : homedir());

export type Asked = Pick<RunInputs, "runFor" | "argv" | "name" | "set" | "hosts" | "exclude" | "noSync"> & { readonly file: string | undefined };

/** Errors: CLUSTER_FILE, PASTED_LAUNCHER, USAGE. */
export function resolveFromDisk(asked: Asked, env: Environment, cwd: string): Resolved {
  const home = homeOf(env);
  const { file, ...inputs } = asked;
  const source = readClusterFile(file, cwd);
  return resolveRun(source, { ...inputs, environment: env, userFile: readUserFile(env, home), cwd, home, files: nodeFiles });
}

const isOf = (problems: readonly ConfigProblem[], flags: readonly string[]): boolean =>
  problems.length > 0 && problems.every(({ file }) => flags.includes(file));
/** What only the command line is to blame for. */
export const isUsage = (problems: readonly ConfigProblem[]): boolean => isOf(problems, ["--host", "--exclude", "--set", "--name", "after --"]);

/** All problems as one error, for a command that cannot go on: of usage where only the command line is at fault. */
export function configError(problems: readonly ConfigProblem[]): NexaError {
  const what = problems.map(formatProblem).join("\n");
  if (isOf(problems, ["--host", "--exclude"])) return fail("HOST_CHOICE", { what });
  if (isOf(problems, ["after --"])) return fail("FLAG_VALUE", { what, fix: "what follows -- is your own command: a script, a program, or -m MODULE" });
  return fail(isUsage(problems) ? "FLAG_VALUE" : "CONFIG", { what });
}
