/** The files of a directory as git sees them: tracked, and untracked that no rule ignores; nested repositories and submodules included. */

import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";

/** A hook or an editor may have set these; they would point git at another repository. */
const gitFree = (env: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(Object.entries(env).filter((pair): pair is [string, string] => pair[1] !== undefined && !/^GIT_/.test(pair[0])));

type Said = { readonly code: number; readonly out: string };

async function git(root: string, args: readonly string[], input?: string): Promise<Said> {
  const result = await execa("git", ["-C", root, ...args], {
    env: { ...gitFree(process.env), LC_ALL: "C", GIT_OPTIONAL_LOCKS: "0" },
    extendEnv: false,
    reject: false,
    stripFinalNewline: false,
    maxBuffer: 256 * 1024 * 1024,
    ...(input === undefined ? { stdin: "ignore" as const } : { input }),
  });
  return { code: result.exitCode ?? 127, out: result.stdout };
}

/** Paths relative to `root`; null when git does not look after this directory (or there is no git). */
export async function listByGit(root: string): Promise<readonly string[] | null> {
  if ((await git(root, ["rev-parse", "--is-inside-work-tree"])).out.trim() !== "true") return null;
  if ((await git(root, ["check-ignore", "-q", "--", "."])).code === 0) return null; // an ignored directory of a repository that is not about it
  const listed = await git(root, ["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
  if (listed.code !== 0) return null;
  const found = new Set<string>();
  for (const name of listed.out.split("\0")) {
    if (name === "") continue;
    const path = name.endsWith("/") ? name.slice(0, -1) : name;
    const isDirectory = await lstat(join(root, path)).then(
      (s) => s.isDirectory(),
      () => false,
    );
    if (!isDirectory) found.add(path);
    else for (const inner of (await listByGit(join(root, path))) ?? []) found.add(`${path}/${inner}`); // a submodule, or a repository inside this one
  }
  return [...found];
}

/** The rule that keeps `path` out, as "file:line: pattern"; null when none does. */
export async function gitRuleFor(root: string, path: string): Promise<string | null> {
  const said = await git(root, ["check-ignore", "-v", "-z", "--no-index", "--stdin"], `${path}\0`);
  const [source, line, pattern] = said.out.split("\0");
  return said.code === 0 && source !== undefined && pattern !== undefined ? `${source}:${line}: ${pattern}` : null;
}
