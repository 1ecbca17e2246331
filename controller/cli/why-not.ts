/** What the system says about a file, in its words and without the call that failed. */

import { getSystemErrorMessage } from "node:util";

export function whyNot(error: unknown): string {
  const { errno } = error as NodeJS.ErrnoException;
  return errno === undefined ? (error instanceof Error ? error.message : String(error)) : getSystemErrorMessage(errno);
}
