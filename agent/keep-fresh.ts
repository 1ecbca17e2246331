/** Cleaners of /tmp (systemd-tmpfiles: 10 days) go by a file's age; a run may be older. Touches what we keep there. */

import { readdirSync, utimesSync } from "node:fs";
import { dirname, join } from "node:path";

export const FRESH_EVERY_MS = 3600_000;

export function keepFresh(runtimeDir: string, secretsDir: string): void {
  const now = new Date();
  for (const dir of [runtimeDir, secretsDir, dirname(runtimeDir)]) {
    try {
      for (const path of [dir, ...readdirSync(dir).map((name) => join(dir, name))]) utimesSync(path, now, now);
    } catch {
      // Gone between the two looks, or gone for good: then there is nothing to keep.
    }
  }
}
