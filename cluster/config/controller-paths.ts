/** Paths of the controller's machine in a cluster file, made absolute by where they were written. */

import { assign, isMap, type Located, type Plain, valueAt } from "./located.ts";
import type { Path } from "./problem.ts";

export const isAbsolute = (path: string): boolean => path.startsWith("/");

/** `path` seen from `base` (absolute); `~/` is the home. `.`, `..` and double slashes are folded as text: symbolic links are not looked at. */
export function resolvePath(base: string, path: string, home: string): string {
  const from = path === "~" || path.startsWith("~/") ? `${home}${path.slice(1)}` : isAbsolute(path) ? path : `${base}/${path}`;
  const parts: string[] = [];
  for (const part of from.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

export const directoryOf = (path: string): string => path.slice(0, Math.max(path.lastIndexOf("/"), 0)) || "/";

/** `path` (absolute) as seen from inside `root`; null: it lies outside. */
export function inside(root: string, path: string): string | null {
  const prefix = root === "/" ? "/" : `${root}/`;
  return path.startsWith(prefix) ? path.slice(prefix.length) : null;
}

/** A value of `setup` that names a file, not lines for bash: `./env.sh`, `~/x`, `conda.sh`. */
export const isSetupFile = (setup: string): boolean => !/\s/.test(setup.trim()) && (/^(\.{0,2}|~)\//.test(setup) || /\.(sh|bash)$/.test(setup));

/** `file:PATH` in an env map; `file://…` is an address and stays as it is. */
export const fileReference = (value: string): string | null =>
  value.startsWith("file:") && !value.startsWith("file://") && value.length > 5 ? value.slice(5) : null;

export type Anchor = {
  readonly dir: string;
  readonly home: string;
  /** `workdir` is a directory on the hosts, and stays as it is written. */
  readonly noSync: boolean;
};

/** Only what is text is touched: what is wrong in kind is for the schema to say. */
export function anchorPaths(located: Located, anchor: Anchor): Located {
  let result = located;
  const each = (path: Path, change: (text: string) => string | null): void => {
    const value = valueAt(result.value, path);
    if (typeof value !== "string" || value === "") return;
    const changed = change(value);
    const where = changed === null || changed === value ? undefined : result.at;
    if (changed !== null && where !== undefined) result = { value: assign(result, path, { value: changed, at: new Map() })?.value ?? result.value, at: where };
  };
  const absolute = (path: string): string => resolvePath(anchor.dir, path, anchor.home);
  const fileAt = (text: string): string | null => {
    const file = fileReference(text);
    return file === null ? null : `file:${absolute(file)}`;
  };
  const env = (path: Path): void => {
    const variables = valueAt(result.value, path);
    if (isMap(variables)) for (const name of Object.keys(variables)) each([...path, name], fileAt);
  };
  const hostKeys = (path: Path): void => {
    each([...path, "identity"], absolute);
    each([...path, "setup"], (text) => (isSetupFile(text) ? absolute(text.trim()) : null));
    if (!anchor.noSync) each([...path, "workdir"], absolute);
    env([...path, "env"]);
  };
  each(["env_file"], absolute);
  const webhook = ["notify", "webhook"] as const;
  const urls = valueAt(result.value, webhook);
  for (const path of Array.isArray(urls) ? urls.map((_, k) => [...webhook, k]) : [webhook]) each(path, fileAt);
  each(["notify", "command"], (line) => line.replace(/^\s*[^\s'"\\]*\/[^\s'"\\]*/, (word) => absolute(word.trim())));
  each(["notify", "command", 0], (word) => (word.includes("/") ? absolute(word) : null));
  each(["job", "accelerate_config"], absolute);
  env(["env"]);
  hostKeys(["defaults"]);
  for (const list of ["cluster", "spares"] as const) {
    const entries: Plain | undefined = valueAt(result.value, [list]);
    if (Array.isArray(entries)) for (let i = 0; i < entries.length; i++) hostKeys([list, i]);
  }
  return result;
}
