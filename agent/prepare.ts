/** Makes a host ready for a run's attempts: environment, secrets, scratch, python, the job's directory. */

import { createHash } from "node:crypto";
import { accessSync, constants, existsSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { fail } from "../cluster/errors.ts";
import type { Command, PrepareReply } from "../cluster/protocol.ts";
import type { Spawn } from "../cluster/shim-contract.ts";
import { codeDir } from "./code-tree.ts";
import type { AgentConfig } from "./config.ts";
import { writeDurable } from "./durable-file.ts";
import { readMade } from "./forget.ts";
import { makeDirs } from "./make-dirs.ts";
import { modulesLacking } from "./python-modules.ts";
import type { Run } from "./run.ts";
import { type Environment, readSecret, writeSecret } from "./secret-files.ts";
import { runSetup } from "./setup.ts";

type Prepare = Extract<Command, { do: "prepare" }>;

/** Twice is the same as once. Errors: NOT_PREPARED, JOB_DIR, SETUP_FAILED, SETUP_TIMEOUT, HOST_WRITE. */
export async function prepare(config: AgentConfig, run: Run, asked: Prepare, stopped: AbortSignal): Promise<PrepareReply> {
  const session = asked.sessionEnv ?? readSecret(config.secretsDir, run.run, "session");
  if (session === null) throw fail("NOT_PREPARED", { run: run.run });
  const home = session.HOME ?? homedir();
  const dir = jobDir(run, asked.inPlace, home);
  writeSecret(config.secretsDir, run.run, "secrets", asked.secrets);
  // Setup may need a secret (a token for a download) as much as a rank does.
  const base = { ...session, ...asked.secrets };
  const environment =
    asked.setup === null
      ? session
      : await runSetup(asked.setup, base, dir, join(config.secretsDir, run.run), asked.limitMs, stopped).catch((error: unknown) => {
          throw stopped.aborted ? fail("NOT_PREPARED", { run: run.run }) : error; // ended by us, so no failure of its lines
        });
  writeSecret(config.secretsDir, run.run, "environment", environment);
  const notes: string[] = [];
  const python = findPython(asked.python, environment, home);
  const modules = asked.modules ?? [];
  return {
    dir,
    python,
    lacks: python === null || modules.length === 0 ? null : await modulesLacking(python, modules, { ...environment, ...asked.secrets }, dir, stopped),
    scratch: asked.scratch === null ? null : makeScratch(config, run, resolve(home, asked.scratch), home, asked.ranks, notes),
    notes,
    sessionNames: Object.keys(environment).sort(),
    scriptSha256: firstHash(asked.hashScript === null ? (asked.hashOneOf ?? []) : [asked.hashScript], dir),
  };
}

function jobDir(run: Run, inPlace: string | null, home: string): string {
  if (inPlace === null) return existsSync(codeDir(run)) ? codeDir(run) : home;
  const dir = resolve(home, expandHome(inPlace, home));
  if (!existsSync(dir) || !statSync(dir).isDirectory()) throw fail("JOB_DIR", { dir });
  return dir;
}

const expandHome = (path: string, home: string): string => (path === "~" || path.startsWith("~/") ? join(home, path.slice(1)) : path);

const isProgram = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
};

/** The wish (a program, or the directory of an environment), else python, python3 on the PATH that setup left. null: none. */
export function findPython(wish: string | null, environment: Environment, home: string): string | null {
  const onPath = (name: string): string | undefined =>
    (environment.PATH ?? "")
      .split(delimiter)
      .filter((dir) => dir.startsWith("/"))
      .map((dir) => join(dir, name))
      .find(isProgram);
  if (wish === null) return onPath("python") ?? onPath("python3") ?? null;
  const path = resolve(home, expandHome(wish, home));
  const program = existsSync(path) && statSync(path).isDirectory() ? join(path, "bin/python") : path;
  return isProgram(program) ? program : wish.includes("/") ? null : (onPath(wish) ?? null);
}

/** {scratch}/{run}/rank_{n}; where the wished one cannot be made, with a word: under the home, else beside our own state, which is somewhere writable. */
function makeScratch(config: AgentConfig, run: Run, wish: string, home: string, ranks: readonly number[], notes: string[]): string {
  const failed: string[] = [];
  for (const base of [wish, join(home, "nexadist-scratch"), join(dirname(config.rootDir), `nexadist-${process.getuid?.()}-scratch`)]) {
    const isNew = !existsSync(base);
    const dir = join(base, run.run);
    try {
      for (const each of [dir, ...ranks.map((rank) => join(dir, `rank_${rank}`))]) makeDirs(each, 0o700);
      accessSync(dir, constants.W_OK);
    } catch (error) {
      const why = (error as NodeJS.ErrnoException).code ?? String(error);
      failed.push(failed.length === 0 ? `${base} cannot be made (${why})` : `nor ${base} (${why})`);
      continue;
    }
    if (failed.length > 0) notes.push(`scratch ${failed.join(", ")}; using ${base}`);
    const before = readMade(run); // it is prepared again after a lost link
    const made = { dirs: [...new Set([...before.dirs, dir])], base: isNew ? base : before.base };
    writeDurable(join(run.dir, "made.json"), JSON.stringify(made));
    return dir;
  }
  throw fail("HOST_WRITE", { path: wish, why: failed.join(", ") });
}

/** null: none of them can be read. */
function firstHash(paths: readonly string[], dir: string): string | null {
  for (const path of paths) {
    try {
      return createHash("sha256")
        .update(readFileSync(resolve(dir, path)))
        .digest("hex");
    } catch {
      // The next may be there.
    }
  }
  return null;
}

/** A spawn with its whole environment: the session's (or setup's) less `unset`, then secrets, then its own. Errors: NOT_PREPARED. */
export function completeSpawns(config: AgentConfig, run: string, spawns: readonly Spawn[], unset: readonly string[]): Spawn[] {
  const environment = readSecret(config.secretsDir, run, "environment");
  const secrets = readSecret(config.secretsDir, run, "secrets");
  if (environment === null || secrets === null) throw fail("NOT_PREPARED", { run });
  const base = Object.fromEntries(Object.entries(environment).filter(([name]) => !unset.some((pattern) => matches(name, pattern))));
  return spawns.map((spawn) => ({ ...spawn, env: { ...base, ...secrets, ...spawn.env } }));
}

/** Exact, or a prefix that ends in "*". */
export const matches = (name: string, pattern: string): boolean => (pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern);
