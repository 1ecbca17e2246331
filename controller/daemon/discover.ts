/** Asks hosts which runs they keep a record of, over links of its own that command nothing. */

import * as z from "zod";
import { type Problem, toProblem } from "../../cluster/errors.ts";
import { keptReply } from "../../cluster/protocol.ts";
import type { Kept } from "../../cluster/run/takeover.ts";
import type { HostSpec } from "../../cluster/spec.ts";
import type { Lent } from "../../cluster/viewer.ts";
import { bringUpAgent, lookAt } from "../reach/bootstrap.ts";
import { callHelper } from "../reach/helper.ts";
import { openLink } from "../reach/link.ts";
import type { Transport } from "../reach/transport.ts";
import { reach, reachSocket } from "./keeper.ts";
import { ownLent } from "./own-lent.ts";

export type Answered =
  | { readonly host: string; readonly ok: true; readonly kept: readonly Kept[] }
  | { readonly host: string; readonly ok: false; readonly problem: Problem };

const CONNECT_MS = 10_000;
const agentsSchema = z.object({ agents: z.array(z.object({ runs: z.array(z.object({ run: z.string() })) })) });

export type Discovery = {
  readonly hosts: readonly HostSpec[];
  readonly lent: Lent;
  readonly controller: string;
  readonly notice: (host: string, text: string) => void;
};

/** Which of them this controller reaches with what its own machine has. */
export async function reachAll(
  hosts: readonly HostSpec[],
  controller: string,
  notice: Discovery["notice"],
): Promise<readonly { host: string; problem: Problem | null }[]> {
  const answers = await askHosts({ hosts, lent: ownLent(), controller, notice });
  return answers.map((each) => ({ host: each.host, problem: each.ok ? null : each.problem }));
}

/** All at once; in the order of `hosts`. */
export function askHosts({ hosts, ...how }: Discovery): Promise<readonly Answered[]> {
  return Promise.all(
    hosts.map((host) =>
      askHost(host, how).then(
        (kept): Answered => ({ host: host.name, ok: true, kept }),
        (error: unknown): Answered => ({ host: host.name, ok: false, problem: toProblem(error, host.name) }),
      ),
    ),
  );
}

async function askHost(host: HostSpec, { lent, controller, notice }: Omit<Discovery, "hosts">): Promise<readonly Kept[]> {
  const { env, acceptNewHostKeys, connectMs = CONNECT_MS } = lent;
  const say = (text: string): void => notice(host.name, text);
  const options = { connectMs, acceptNewHostKeys, agentSocket: lent.agentSocket ?? undefined, env, notice: say };
  const transport = await reach(host, options);
  try {
    if (!(await hasRuns(transport, host))) return []; // nothing is brought to a host for the sake of a question
    const facts = await lookAt(transport, host);
    const agent = await bringUpAgent(transport, host, facts, say, false);
    const stream = await reachSocket(transport, host.name, agent.socket, () => reach(host, options));
    const ignore = (): void => undefined;
    const link = await openLink(host.name, stream, agent.token, controller, { onEvent: ignore, onFrame: ignore, onSilent: ignore, onHeard: ignore });
    try {
      const names = link.welcome.runs.filter((run) => run.controller !== "").map(({ run }) => run);
      return await Promise.all(names.map(async (run) => ({ host: host.name, ...keptReply.parse(await link.command({ do: "read-record", run })) })));
    } finally {
      link.close();
    }
  } finally {
    transport.close();
  }
}

async function hasRuns(transport: Transport, host: HostSpec): Promise<boolean> {
  const localName = host.transport === "local" ? host.name : "";
  const { agents } = agentsSchema.parse(await callHelper(transport, host.name, { op: "agents", localName }));
  return agents.some((agent) => agent.runs.length > 0);
}
