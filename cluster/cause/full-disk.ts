/** A rank that could not write, on a host whose disk is full: the two belong together. */

import { sanitiseWord } from "../sanitise.ts";
import type { Evidence } from "./evidence.ts";
import type { Suspect } from "./suspect.ts";

/** Findings of writing. */
const OF_WRITING: ReadonlySet<string> = new Set(["NO_SPACE", "SAVE_FAILED"]);

export type FullWords = { readonly code: string; readonly text: string; readonly proofs: readonly string[] };

/** null: it did not end of writing, or there was room when its host looked. */
export function fullDiskOf({ host, code }: Pick<Suspect, "host" | "code">, { fullDisks }: Evidence): FullWords | null {
  if (host === null || code === null || !OF_WRITING.has(code)) return null;
  const paths = fullDisks.filter((disk) => disk.host === host).map(({ path }) => sanitiseWord(path));
  if (paths.length === 0) return null;
  return {
    code: "NO_SPACE",
    text: `; the disk of ${sanitiseWord(host)} (${paths.join(", ")}) is full`,
    proofs: paths.map((path) => `${sanitiseWord(host)} disk: ${path} has no room`),
  };
}
