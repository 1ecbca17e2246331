/** `forward`: a port of the host that a rank runs on, here on the loopback, through SSH: for tensorboard and the like. A link that breaks is made again. */

import { createServer, type Server, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { fail } from "../../cluster/errors.ts";
import type { RunState } from "../../cluster/run/state.ts";
import { sanitiseWord } from "../../cluster/sanitise.ts";
import type { HostSpec } from "../../cluster/spec.ts";
import type { Transport } from "../reach/transport.ts";
import type { Run } from "./commands.ts";
import type { Context } from "./context.ts";
import { readRun } from "./known-run.ts";
import { lookAtRun } from "./open-run.ts";
import { reachHost } from "./reach-host.ts";

const AGAIN_MS = [500, 1000, 2000, 5000, 10_000] as const;

export const forward: Run = async (context, [wanted, ports], options) => {
  const { here, there } = portsOf(String(ports));
  const { client, run } = await lookAtRun(context, options, wanted);
  const { state } = await readRun(client, run);
  client.close();
  const { host, rank } = placeOf(state, options);
  const left = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => left.abort());

  let link: Transport | null = await reachHost(host, context, options);
  const said = new Set<string>();
  const sayOnce = (text: string): void => {
    if (!said.has(text)) context.say(text);
    said.add(text);
  };
  const server = await listen(here, String(ports), (socket) => {
    socket.on("error", () => socket.destroy());
    if (link === null) return void socket.destroy();
    link.openPort(there).then(
      (stream) => {
        stream.on("error", () => socket.destroy()).on("close", () => socket.destroy());
        socket.on("close", () => stream.destroy());
        socket.pipe(stream).pipe(socket);
      },
      (error: unknown) => {
        socket.destroy();
        sayOnce(`nexadist: ${error instanceof Error ? error.message : String(error)}`);
      },
    );
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : here;
  const name = sanitiseWord(host.name);
  const url = `http://127.0.0.1:${port}/`;
  if (context.json) context.printJson({ run, host: host.name, rank, there, here: port, url });
  else context.print(url);
  context.say(`is port ${there} of ${name}${rank === null ? "" : `, where rank ${rank} runs`}; Ctrl-C ends it, and touches nothing there`);
  try {
    while (!left.signal.aborted) {
      const why = await Promise.race([link.closed, gone(left.signal)]);
      if (left.signal.aborted) break;
      link.close();
      link = null;
      context.say(`the connection to ${name} is gone (${sanitiseWord(String(why))}); making another`);
      link = await again(host, context, options, left.signal);
      if (link === null) break;
      context.say(`${name} is reached again`);
    }
  } finally {
    server.close();
    server.removeAllListeners();
    link?.close();
  }
  return 0;
};

/** PORT, or HERE:PORT as ssh -L has it. */
function portsOf(text: string): { readonly here: number; readonly there: number } {
  const [, first, second] = /^(\d{1,5})(?::(\d{1,5}))?$/.exec(text) ?? [];
  const here = Number(first);
  const there = Number(second ?? first);
  if (first === undefined || here > 65_535 || there < 1 || there > 65_535)
    throw fail("USAGE", {
      what: `${text} is no port: it is PORT, or HERE:PORT`,
      fix: "nexadist forward latest 6006   or   nexadist forward latest 16006:6006",
    });
  return { here, there };
}

function placeOf(state: RunState, options: Readonly<Record<string, unknown>>): { readonly host: HostSpec; readonly rank: number | null } {
  const { hosts, run } = state.spec;
  if (typeof options.host === "string") {
    const host = hosts.find(({ name }) => name === options.host);
    if (host === undefined) throw fail("USAGE", { what: `${run} has no host ${options.host}`, fix: `it has: ${hosts.map(({ name }) => name).join(", ")}` });
    return { host, rank: null };
  }
  const rank = options.rank === undefined ? 0 : Number(options.rank);
  const name = state.ranks[rank]?.host;
  const host = hosts.find((each) => each.name === name);
  if (host !== undefined) return { host, rank };
  const world = Object.keys(state.ranks).length;
  const what = world === 0 ? `${run} has no ranks yet` : `${run} has no rank ${String(options.rank)}`;
  throw fail("USAGE", { what, fix: world === 0 ? "nexadist forward RUN PORT --host HOST" : `its ranks are 0 to ${world - 1}` });
}

function listen(port: number, asked: string, take: (socket: Socket) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true }, take);
    server.once("error", (error: NodeJS.ErrnoException) => {
      const there = asked.split(":").at(-1);
      const what = error.code === "EADDRINUSE" ? `port ${port} is taken on this machine` : `cannot listen on port ${port}: ${error.message}`;
      reject(fail("USAGE", { what, fix: `another one here: nexadist forward latest ${port < 55_536 ? port + 10_000 : 0}:${there}` }, error));
    });
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}

const gone = (signal: AbortSignal): Promise<string> =>
  new Promise((resolve) => (signal.aborted ? resolve("") : signal.addEventListener("abort", () => resolve(""))));

/** null: it is not wanted any more. */
async function again(host: HostSpec, context: Context, options: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<Transport | null> {
  for (let k = 0; !signal.aborted; k += 1) {
    await delay(AGAIN_MS[Math.min(k, AGAIN_MS.length - 1)], undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return null;
    const found = await Promise.race([reachHost(host, context, options).catch(() => null), gone(signal).then(() => null)]);
    if (found !== null) return found;
  }
  return null;
}
