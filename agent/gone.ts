/** Whether what the agent lives from was deleted under it: nobody will ask for it again, and nobody would find it. */

import { statSync } from "node:fs";

export const GONE_EVERY_MS = 5000;

/** Only what is known to be absent; a file system that does not answer (ESTALE, EIO) says nothing. */
export function isGone(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) === undefined;
  } catch {
    return false;
  }
}
