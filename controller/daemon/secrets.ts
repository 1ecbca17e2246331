/** Secret values of live runs: in memory, and on a tmpfs where there is one so that a controller that was killed can still launch. */

import { readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Problem } from "../../cluster/errors.ts";
import type { SecretValues } from "../../cluster/spec.ts";
import { secretsDir } from "../paths.ts";

const held = new Map<string, SecretValues>();
const pathOf = (run: string): string | null => {
  const dir = secretsDir();
  return dir === null ? null : join(dir, `${run}.json`);
};

export function keepSecrets(run: string, values: SecretValues): void {
  held.set(run, values);
  const path = Object.keys(values).length === 0 ? null : pathOf(run);
  if (path !== null) writeFileSync(path, JSON.stringify(values), { mode: 0o600 });
}

export function secretsOf(run: string): SecretValues {
  const known = held.get(run);
  if (known !== undefined) return known;
  const path = pathOf(run);
  try {
    return path === null ? {} : (JSON.parse(readFileSync(path, "utf8")) as SecretValues);
  } catch {
    return {};
  }
}

/** Also after they are forgotten: hosts may repeat them. They may come late: those of a run that was taken over are had from its hosts. */
export function secretsKept(run: string): () => SecretValues {
  let kept = secretsOf(run);
  return () => {
    const now = secretsOf(run);
    if (Object.keys(now).length > 0) kept = now;
    return kept;
  };
}

/** A host's words may repeat what it was given (`set -x` in a setup): no value goes into a journal. Values under 4 characters are no secrets. */
export const withoutSecrets = (problem: Problem, values: SecretValues): Problem => ({ ...problem, message: conceal(problem.message, values) });

export function conceal(text: string, values: SecretValues): string {
  const known = Object.values(values).flatMap((scope) => Object.entries(scope));
  return known.reduce((told, [name, value]) => (value.length < 4 ? told : told.replaceAll(value, `$${name}`)), text);
}

export function forgetSecrets(run: string): void {
  held.delete(run);
  const path = pathOf(run);
  if (path === null) return;
  rmSync(path, { force: true });
  try {
    rmdirSync(dirname(path));
    rmdirSync(dirname(dirname(path)));
  } catch {
    // other runs have theirs in it
  }
}
