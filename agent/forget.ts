/** The end of a run on this host: its secrets and its record go, empty scratch goes, logs and what the user's program wrote stay. */

import { readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import type { AgentConfig } from "./config.ts";
import { dropRecord, type Run } from "./run.ts";
import { eraseSecrets } from "./secret-files.ts";

const made = z.object({ dirs: z.array(z.string()), base: z.string().nullable() });

export function forget(config: AgentConfig, run: Run): void {
  eraseSecrets(config.secretsDir, run.run);
  const { dirs, base } = readMade(run);
  for (const dir of dirs) {
    for (const name of list(dir)) removeEmpty(join(dir, name));
    removeEmpty(dir);
  }
  if (base !== null) removeEmpty(base);
  dropRecord(run);
}

/** What `prepare` has made for the run so far. */
export function readMade(run: Run): z.infer<typeof made> {
  try {
    return made.parse(JSON.parse(readFileSync(join(run.dir, "made.json"), "utf8")));
  } catch {
    return { dirs: [], base: null };
  }
}

const list = (dir: string): string[] => {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
};

/** What holds a file is the user's. */
function removeEmpty(dir: string): void {
  try {
    rmdirSync(dir);
  } catch {
    // Not empty, not there, or not ours to remove.
  }
}
