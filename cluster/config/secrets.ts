/** Environment maps to plain values and secrets. A reference is read on the controller's machine; what it yields is never shown. */

import { fileReference } from "./controller-paths.ts";
import type { Files } from "./files.ts";
import { type Positions, problemIn } from "./located.ts";
import { MAX_VARIABLE_BYTES } from "./names.ts";
import { type ConfigProblem, type Path, SECRET_NAME } from "./problem.ts";

export type Sorted = {
  readonly plain: Readonly<Record<string, string>>;
  readonly secret: Readonly<Record<string, string>>;
  readonly problems: readonly ConfigProblem[];
};

export type Surroundings = { readonly files: Files; readonly environment: Readonly<Record<string, string | undefined>> };

/** Whether the value of `name` is kept out of journals, plans and errors. */
export const isSecret = (name: string, value: string): boolean =>
  environmentReference(value) !== null || fileReference(value) !== null || (SECRET_NAME.test(name) && value !== "");

const environmentReference = (value: string): string | null => /^env:([A-Za-z_][A-Za-z0-9_]*)$/.exec(value)?.[1] ?? null;

export function sortVariables(
  env: Readonly<Record<string, string>>,
  place: (name: string) => Path,
  at: Positions,
  { files, environment }: Surroundings,
): Sorted {
  const plain: Record<string, string> = {};
  const secret: Record<string, string> = {};
  const problems: ConfigProblem[] = [];
  for (const [name, value] of Object.entries(env)) {
    if (!isSecret(name, value)) {
      plain[name] = value;
      continue;
    }
    const variable = environmentReference(value);
    const path = fileReference(value);
    const refuse = (message: string, hint?: string): void => {
      problems.push(problemIn(at, place(name), message, hint === undefined ? {} : { hint }));
    };
    let found = value;
    if (variable !== null) {
      const set = environment[variable];
      if (set === undefined) refuse(`${variable} is not set in the environment of this command`, `export ${variable}=…`);
      found = set ?? "";
    } else if (path !== null) {
      const read = files.read(path);
      if (!read.ok) refuse(`cannot read ${path}: ${read.why}`);
      found = read.ok ? read.text.replace(/\r?\n$/, "") : "";
    }
    if (found.includes("\0")) refuse("the value holds a NUL character");
    if (new TextEncoder().encode(`${name}=${found}`).length > MAX_VARIABLE_BYTES) refuse("the value is longer than the 128 KiB that Linux takes");
    secret[name] = found;
  }
  return { plain, secret, problems };
}
