/** The host that a person names: one of the cluster file where it has it, else any SSH host, `user@` included. */

import { lookup } from "node:dns/promises";
import { existsSync } from "node:fs";
import { isIP } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { checkHost, checkUser } from "../../cluster/config/names.ts";
import { nearest } from "../../cluster/config/nearest.ts";
import { fail } from "../../cluster/errors.ts";
import type { HostSpec } from "../../cluster/spec.ts";
import { resolveSettings } from "../reach/ssh-config.ts";
import type { Context } from "./context.ts";
import { fileHere } from "./known-run.ts";
import { loadHosts } from "./load-cluster.ts";

/** A name server that does not answer knows nobody. */
const ASK_MS = 3000;

/** Errors: NO_HOST for what is no host's name or most likely a slip of one, and those of a cluster file that was named with -c. */
export async function namedHost(context: Context, name: string): Promise<HostSpec> {
  const file = fileHere(context);
  const known = file !== null && (existsSync(file) || context.cluster !== undefined) ? loadHosts(context, undefined, {}).hosts : [];
  const found = known.find((host) => host.name === name) ?? known.find((host) => host.address === name);
  if (found !== undefined) return found;
  const [, user, host = name] = /^([^@]+)@(.+)$/.exec(name) ?? [];
  const wrong = checkHost(host) ?? (user === undefined ? null : checkUser(user));
  if (wrong !== null) throw fail("NO_HOST", { host: name, file: file ?? "the list of hosts" });
  // A near miss of a short list is a typo, unless somebody knows that machine; an address or a user in front is no slip.
  const near =
    user !== undefined || isIP(host) > 0
      ? null
      : nearest(
          host,
          known.map((each) => each.name),
        );
  if (near !== null && !(await isKnown(context, host))) throw fail("NO_HOST", { host: name, file: file ?? "cluster.yaml", nearest: near });
  return { name, sshHost: host, transport: "ssh", ...(user === undefined ? {} : { user }), address: host, env: {}, gpus: { kind: "auto" } };
}

/** By ssh_config, which may rename it or go through another host, or by DNS. */
async function isKnown({ env }: Context, host: string): Promise<boolean> {
  const settings = await resolveSettings(
    { name: host, host },
    { connectMs: ASK_MS, acceptNewHostKeys: false, agentSocket: undefined, env, notice: () => undefined },
  ).catch(() => null);
  if (settings === null) return false;
  const isProxied = ["proxyjump", "proxycommand"].some((key) => !["none", undefined].includes(settings.raw.get(key)));
  if (settings.hostname !== host || isProxied) return true;
  const asked = lookup(host).then(
    () => true,
    () => false,
  );
  return Promise.race([asked, delay(ASK_MS, false)]);
}
