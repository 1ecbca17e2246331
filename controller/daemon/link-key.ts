/** Which hosts share a link: entries that are reached alike. */

import type { HostSpec } from "../../cluster/spec.ts";
import { type ReachEnv, reachKey } from "../reach/reach-env.ts";

export const linkKey = (host: HostSpec, env: ReachEnv): string =>
  JSON.stringify([
    ...[host.transport, host.name, host.sshHost, host.user, host.port, host.identity, host.python],
    host.transport === "local" ? "" : reachKey(env),
  ]);
