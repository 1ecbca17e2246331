/** How a run's own `up` reached its hosts, kept with the run: a controller that is started again by another command reaches them the same way. */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runDir } from "../paths.ts";
import { type ReachEnv, reachEnv } from "../reach/reach-env.ts";

const pathOf = (run: string): string => join(runDir(run), "reach.json");

export const keepReach = (run: string, env: ReachEnv): void => writeFileSync(pathOf(run), `${JSON.stringify(reachEnv(env))}\n`, { mode: 0o600 });

/** `own`: this controller's environment; for the rest of it, and for runs without the file. */
export function withReach(run: string, own: Readonly<Record<string, string>>): Record<string, string> {
  try {
    const kept = reachEnv(JSON.parse(readFileSync(pathOf(run), "utf8")) as ReachEnv);
    const { NEXADIST_SSH: _, NEXADIST_SSH_CONFIG: __, ...rest } = own;
    return { ...rest, ...kept };
  } catch {
    return { ...own };
  }
}
