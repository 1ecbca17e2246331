/** What host.py writes for an agent before it starts it: paths and names, no secret in it. */

import { readFileSync } from "node:fs";
import * as z from "zod";

const schema = z.object({
  /** agents/KEY of the state root: runs, log. */
  stateDir: z.string(),
  /** Shared by the agents of one home: bundles, blobs. */
  rootDir: z.string(),
  /** Local disk, 0700: socket, lock, token. */
  runtimeDir: z.string(),
  /** In memory where the host has it, 0700. */
  secretsDir: z.string(),
  key: z.string(),
  bootId: z.string(),
  tokenFile: z.string(),
  socket: z.string(),
  bundleDir: z.string(),
  bundle: z.string(),
  /** A Python of 3.9 or newer that is not the job's: it runs the shims. */
  python: z.string(),
});
export type AgentConfig = z.infer<typeof schema>;

export const readConfig = (path: string): AgentConfig => schema.parse(JSON.parse(readFileSync(path, "utf8")));

/** The build replaces it; a checkout has no version of its own. */
export const VERSION = process.env.NEXADIST_VERSION ?? "dev";
