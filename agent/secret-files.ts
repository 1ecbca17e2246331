/** What a run must not leave on a disk: its session environment and its secrets, in memory, 0600, erased with the run. */

import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export type Environment = Readonly<Record<string, string>>;
export type SecretFile = "session" | "environment" | "secrets";

/**
 * What this agent wrote, kept too: logind's RemoveIPC empties a user's /dev/shm when the last session ends, and a new attempt must find it still.
 * Not the session's: that is host.py's to write.
 */
const kept = new Map<string, Environment>();

const dirOf = (secretsDir: string, run: string): string => join(secretsDir, run);

export function writeSecret(secretsDir: string, run: string, name: SecretFile, value: Environment): void {
  const dir = dirOf(secretsDir, run);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const path = join(dir, `${name}.json`);
  kept.set(path, value);
  writeFileSync(`${path}.new`, JSON.stringify(value), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** null when it is not there (any more). */
export function readSecret(secretsDir: string, run: string, name: SecretFile): Environment | null {
  const path = join(dirOf(secretsDir, run), `${name}.json`);
  try {
    return kept.get(path) ?? (JSON.parse(readFileSync(path, "utf8")) as Environment);
  } catch {
    return null;
  }
}

export function eraseSecrets(secretsDir: string, run: string): void {
  const dir = dirOf(secretsDir, run);
  for (const path of [...kept.keys()]) if (path.startsWith(`${dir}/`)) kept.delete(path);
  rmSync(dir, { recursive: true, force: true });
}
