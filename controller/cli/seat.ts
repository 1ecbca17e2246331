/** The controller on a host of the cluster: brought there, started, and talked to over its socket, which SSH forwards. */

import * as z from "zod";
import { fail, type Problem } from "../../cluster/errors.ts";
import type { HostFacts, HostSpec } from "../../cluster/spec.ts";
import { aboutHost } from "../../cluster/view/about-host.ts";
import { reachSocket } from "../daemon/keeper.ts";
import { bringUpAgent, lookAt } from "../reach/bootstrap.ts";
import { callHelper } from "../reach/helper.ts";
import { openLink } from "../reach/link.ts";
import type { Transport } from "../reach/transport.ts";
import { asError, type Client, openClientOn } from "./client.ts";
import type { Options } from "./commands.ts";
import type { Context } from "./context.ts";
import { reachHost } from "./reach-host.ts";
import { described, payloadOf, readSeatBundle } from "./seat-files.ts";

const startedSchema = z.union([z.object({ socket: z.string() }), z.object({ problem: z.custom<Problem>((value) => typeof value === "object") })]);
const PUT_MS = 10 * 60_000;

/** Errors: those of reaching it, CONTROLLER_START. */
export async function openSeat(context: Context, options: Options, host: HostSpec): Promise<Client> {
  const said = new Set<string>();
  /** Each kind of step once: bytes that count up are no news. */
  const say = (text: string): void => {
    const kind = text.replace(/[\d.]+/g, "#");
    if (!said.has(kind)) context.say(aboutHost(host.name, text));
    said.add(kind);
  };
  const transport = await reachHost(host, context, options);
  try {
    const facts = await lookAt(transport, host);
    const agent = await bringUpAgent(transport, host, facts, say);
    const dir = await bringController(transport, host, facts, say);
    const stream = await reachSocket(transport, host.name, agent.socket, () => reachHost(host, context, options));
    const ignore = (): void => undefined;
    const link = await openLink(host.name, stream, agent.token, "seat", { onEvent: ignore, onFrame: ignore, onSilent: ignore, onHeard: ignore });
    let answer = "";
    // The agent's own Node, and the agent's environment, which is that of a session of this user.
    const take = (_: 1 | 2, data: Buffer): void => {
      answer += data.toString("utf8");
    };
    await link.exec(["sh", "-c", 'exec "$(readlink "/proc/$1/exe")" "$2"', "sh", `${agent.pid}`, `${dir}/seat.mjs`], take, ignore).finally(link.close);
    const started = startedSchema.parse(JSON.parse(answer.trim().split("\n").at(-1) ?? "null"));
    if ("problem" in started) throw asError(thereIs(started.problem, host.name));
    const socket = await reachSocket(transport, host.name, started.socket, () => reachHost(host, context, options));
    socket.once("close", transport.close);
    return openClientOn(socket);
  } catch (error) {
    transport.close();
    if (error instanceof SyntaxError || error instanceof z.ZodError)
      throw fail("CONTROLLER_START", { why: `what ran on ${host.name} gave no answer`, log: `${host.name}:.local/state/nexadist/controller.log` }, error);
    throw error;
  }
}

/** Its cure is for that machine. */
const thereIs = (problem: Problem, host: string): Problem => ({ ...problem, message: aboutHost(host, problem.message), hint: `on ${host}: ${problem.hint}` });

async function bringController(transport: Transport, host: HostSpec, facts: HostFacts, say: (text: string) => void): Promise<string> {
  const { stateDir, present } = facts;
  const bundle = await readSeatBundle();
  const { hash } = bundle;
  if (present?.bundle.includes(hash) !== true) {
    say("uploading the controller");
    const request = { op: "put", stateDir, kind: "bundle", hash, files: bundle.files.map(described), encoding: "raw" };
    await callHelper(transport, host.name, request, payloadOf(bundle), PUT_MS);
  }
  return `${stateDir}/bundles/${hash}`;
}

/** Hosts as the seat reaches them: itself without SSH, the others with its own keys. */
export const seenFrom = (seat: string, hosts: readonly HostSpec[]): readonly HostSpec[] =>
  hosts.map(({ identity: _, ...host }) => (host.name === seat ? { ...host, isSeat: true } : host));

type Reached = { readonly host: string; readonly problem: Problem | null };

/** Before anything is launched. Errors: SEAT_UNABLE, which names those it cannot reach. */
export async function checkSeat(client: Client, seat: string, hosts: readonly HostSpec[]): Promise<void> {
  const answers = (await client.ask({ ask: "reach", hosts: seenFrom(seat, hosts) })) as readonly Reached[];
  const [first, ...more] = answers.filter((each) => each.problem !== null);
  if (first === undefined) return;
  throw fail("SEAT_UNABLE", { seat, hosts: [first, ...more].map((each) => each.host).join(", "), why: first.problem?.message ?? "" });
}
