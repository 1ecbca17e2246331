/** What this controller's own machine has, when no viewer lends anything. */

import type { Lent } from "../../cluster/viewer.ts";

export const ownLent = (): Lent => ({
  env: Object.fromEntries(Object.entries(process.env).filter((pair): pair is [string, string] => pair[1] !== undefined)),
  agentSocket: process.env.SSH_AUTH_SOCK ?? null,
  acceptNewHostKeys: false,
});
