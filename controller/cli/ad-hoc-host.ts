/** The host that a person names: one of the cluster file where it has it, else any SSH host, `user@` included. */

import { existsSync } from "node:fs";
import { checkHost, checkUser } from "../../cluster/config/names.ts";
import { nearest } from "../../cluster/config/nearest.ts";
import { fail } from "../../cluster/errors.ts";
import type { HostSpec } from "../../cluster/spec.ts";
import type { Context } from "./context.ts";
import { fileHere } from "./known-run.ts";
import { loadHosts } from "./load-cluster.ts";

/** Errors: NO_HOST for what is no host's name, and those of a cluster file that was named with -c. */
export function namedHost(context: Context, name: string): HostSpec {
  const file = fileHere(context);
  const known = file !== null && (existsSync(file) || context.cluster !== undefined) ? loadHosts(context, undefined, {}).hosts : [];
  const found = known.find((host) => host.name === name) ?? known.find((host) => host.address === name);
  if (found !== undefined) return found;
  const near = nearest(
    name,
    known.map((host) => host.name),
  );
  // A near miss of a short list is a typo, not another machine.
  if (near !== null) throw fail("NO_HOST", { host: name, file: file ?? "cluster.yaml", nearest: near });
  const [, user, host = name] = /^([^@]+)@(.+)$/.exec(name) ?? [];
  const wrong = checkHost(host) ?? (user === undefined ? null : checkUser(user));
  if (wrong !== null) throw fail("NO_HOST", { host: name, file: file ?? "the list of hosts" });
  return { name, sshHost: host, transport: "ssh", ...(user === undefined ? {} : { user }), address: host, env: {}, gpus: { kind: "auto" } };
}
