/** Resolves a text against a disk that is a plain object. */

import type { Effective } from "../../../cluster/config/effective.ts";
import { formatProblem } from "../../../cluster/config/problem.ts";
import { type Resolved, type RunInputs, resolveRun } from "../../../cluster/config/resolve.ts";
import type { RunSpec, SecretValues } from "../../../cluster/spec.ts";

export type Disk = Readonly<Record<string, string>>;

export function resolve(text: string, given: Partial<RunInputs> & { readonly disk?: Disk; readonly user?: string } = {}): Resolved {
  const { disk = {}, user, ...inputs } = given;
  return resolveRun(
    { path: "/proj/conf/c.yaml", name: "conf/c.yaml", text },
    {
      runFor: (name) => `${name}_1`,
      argv: [],
      set: [],
      hosts: [],
      exclude: [],
      noSync: false,
      environment: {},
      userFile: user === undefined ? null : { path: "/home/u/.config/nexadist/config.yaml", name: "~/config.yaml", text: user },
      cwd: "/proj",
      home: "/home/u",
      files: {
        read: (path) => (disk[path] === undefined ? { ok: false, why: "no such file" } : { ok: true, text: disk[path] }),
        isFile: (path) => disk[path] !== undefined,
        isExecutable: (path) => disk[path]?.startsWith("#!") === true,
      },
      ...inputs,
    },
  );
}

export function resolved(...given: Parameters<typeof resolve>): { readonly spec: RunSpec; readonly secrets: SecretValues; readonly effective: Effective } {
  const result = resolve(...given);
  if (!result.ok) throw new Error(result.problems.map(formatProblem).join("\n"));
  return result;
}

/** The problems as text; empty when there are none. */
export function refused(...given: Parameters<typeof resolve>): string {
  const result = resolve(...given);
  return result.ok ? "" : result.problems.map(formatProblem).join("\n");
}
