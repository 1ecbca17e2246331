/** What never leaves this machine with the code, whatever git and .nexaignore say: keys, the files that the cluster file names as secret, what is ours. */

import { realpath } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { fail } from "../../cluster/errors.ts";

const PRIVATE_NAMES = new Set([".ssh", ".aws", ".gnupg", ".netrc"]);

export type KeptOut = { readonly path: string; readonly why: string };

/** Errors: CODE_TOO_WIDE. */
export async function refuseWide(realRoot: string): Promise<void> {
  const home = await realpath(homedir()).catch(() => homedir());
  if (realRoot === "/" || realRoot === home) throw fail("CODE_TOO_WIDE", { root: realRoot });
}

/** Those of `paths` (relative to `realRoot`) that may travel; a note for each thing that may not. */
export async function keepOut(realRoot: string, paths: readonly string[], given: readonly KeptOut[], notes: string[]): Promise<readonly string[]> {
  const known = await Promise.all(given.map(async ({ path, why }) => ({ path: await realpath(path).catch(() => path), why })));
  const said = new Set<string>();
  return paths.filter((path) => {
    const parts = path.split("/");
    const at = parts.findIndex((part) => PRIVATE_NAMES.has(part));
    const whole = join(realRoot, path);
    const one = known.find((each) => whole === each.path || whole.startsWith(`${each.path}/`));
    if (at < 0 && one === undefined) return true;
    const top = one === undefined ? parts.slice(0, at + 1).join("/") : one.path.slice(realRoot.length).replace(/^\/+/, "") || ".";
    const note = `${top} is left out: ${one?.why ?? "it holds keys"}`;
    if (!said.has(note)) notes.push(note);
    said.add(note);
    return false;
  });
}
