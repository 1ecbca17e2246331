/** What a run must not leave on a disk: its session environment and its secrets, in memory, 0600, erased with the run. */

import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export type Environment = Readonly<Record<string, string>>;
export type SecretFile = "session" | "environment" | "secrets";

const dirOf = (secretsDir: string, run: string): string => join(secretsDir, run);

export function writeSecret(secretsDir: string, run: string, name: SecretFile, value: Environment): void {
  const dir = dirOf(secretsDir, run);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const path = join(dir, `${name}.json`);
  writeFileSync(`${path}.new`, JSON.stringify(value), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** null when it is not there (any more). */
export function readSecret(secretsDir: string, run: string, name: SecretFile): Environment | null {
  try {
    return JSON.parse(readFileSync(join(dirOf(secretsDir, run), `${name}.json`), "utf8")) as Environment;
  } catch {
    return null;
  }
}

export const eraseSecrets = (secretsDir: string, run: string): void => rmSync(dirOf(secretsDir, run), { recursive: true, force: true });
