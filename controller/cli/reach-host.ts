/** Reaches hosts from the CLI itself, without the controller: for commands that need no agent. */

import { type Problem, toProblem } from "../../cluster/errors.ts";
import { sanitiseWord } from "../../cluster/sanitise.ts";
import type { HostSpec } from "../../cluster/spec.ts";
import { connectHost } from "../reach/connect-host.ts";
import { openLocal } from "../reach/local-driver.ts";
import type { Transport } from "../reach/transport.ts";
import { awaiting } from "./awaited.ts";
import type { Options } from "./commands.ts";
import type { Context } from "./context.ts";

export function reachHost(host: HostSpec, context: Context, options: Options, connectMs = context.connectMs): Promise<Transport> {
  if (host.transport === "local") return Promise.resolve(openLocal(host.name, { env: context.env }));
  const { name, sshHost, user, port, identity } = host;
  const target = {
    name,
    host: sshHost ?? name,
    ...(user === undefined ? {} : { user }),
    ...(port === undefined ? {} : { port }),
    ...(identity === undefined ? {} : { identity }),
  };
  const connecting = connectHost(target, {
    connectMs,
    acceptNewHostKeys: options.acceptNewHostKeys === true,
    agentSocket: context.env.SSH_AUTH_SOCK,
    env: context.env,
    notice: (text) => context.say(`${sanitiseWord(name)}: ${sanitiseWord(text)}`),
  });
  return awaiting(context, name, "no SSH connection yet", connecting);
}

export type Reached<T> =
  | { readonly host: HostSpec; readonly ok: true; readonly value: T }
  | { readonly host: HostSpec; readonly ok: false; readonly problem: Problem };

/** All hosts at once (or one after the other); a host that fails does not keep the others. Results in the order of `hosts`. */
export async function onHosts<T>(
  hosts: readonly HostSpec[],
  act: (host: HostSpec) => Promise<T>,
  { isSerial = false, onEach = () => undefined }: { readonly isSerial?: boolean; readonly onEach?: (done: Reached<T>) => void } = {},
): Promise<readonly Reached<T>[]> {
  const one = async (host: HostSpec): Promise<Reached<T>> => {
    const done: Reached<T> = await act(host).then(
      (value) => ({ host, ok: true as const, value }),
      (error: unknown) => ({ host, ok: false as const, problem: toProblem(error, host.name) }),
    );
    onEach(done);
    return done;
  };
  if (!isSerial) return Promise.all(hosts.map(one));
  const results: Reached<T>[] = [];
  for (const host of hosts) results.push(await one(host));
  return results;
}

/** Connects, acts, and closes whatever happens. */
export async function withHost<T>(host: HostSpec, context: Context, options: Options, act: (transport: Transport) => Promise<T>): Promise<T> {
  const transport = await reachHost(host, context, options);
  try {
    return await act(transport);
  } finally {
    transport.close();
  }
}
