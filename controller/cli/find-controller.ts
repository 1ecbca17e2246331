/** The controller that a command is about: that of the seat which the cluster file names, else the one of this machine. */

import type { HostSpec } from "../../cluster/spec.ts";
import type { Client } from "./client.ts";
import type { Options } from "./commands.ts";
import type { Context } from "./context.ts";
import { findOrStartDaemon } from "./daemon-start.ts";
import { loadHosts } from "./load-cluster.ts";

export async function findController(context: Context, options: Options): Promise<Client> {
  const seat = seatOf(context);
  return seat === null ? findOrStartDaemon() : (await import("./seat.ts")).openSeat(context, options, seat);
}

/** Only of a file that is named with -c: a command for this machine's runs must not go by what lies in a directory. */
export function seatOf(context: Context): HostSpec | null {
  if (context.cluster === undefined) return null;
  const { hosts, seat } = loadHosts(context, undefined, {});
  return hosts.find((host) => host.name === seat) ?? null;
}
