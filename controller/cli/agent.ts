/** `agent status|upgrade`: the agents on the hosts, over SSH and without the controller. */

import { sanitiseWord } from "../../cluster/sanitise.ts";
import { aboutHost } from "../../cluster/view/about-host.ts";
import { formatTable } from "../../cluster/view/table.ts";
import { readManifest } from "../assets.ts";
import { bringUpAgent, lookAt } from "../reach/bootstrap.ts";
import { type FoundAgent, findAgents } from "./agent-look.ts";
import type { Run } from "./commands.ts";
import type { Context } from "./context.ts";
import { loadHosts } from "./load-cluster.ts";
import { onHosts, withHost } from "./reach-host.ts";
import { hostsJson, tellMissing } from "./tell-missing.ts";

const buildWords = (bundle: string, ours: string): string => (bundle === ours ? "this build" : `another build (${bundle.slice(0, 12)})`);

function runWords({ runs }: FoundAgent): string {
  const live = runs.filter((each) => each.live).map((each) => each.run);
  const ended = runs.length - live.length;
  return [...live, ...(ended > 0 ? [`${ended} ended`] : [])].join(", ") || "none";
}

export const agentStatus: Run = async (context, [file], options) => {
  const { hosts } = loadHosts(context, file, options);
  const { agentBundle } = await readManifest();
  const found = await onHosts(hosts, (host) => withHost(host, context, options, async (transport) => ({ agents: await findAgents(transport, host) })));
  if (context.json) context.printJson({ build: agentBundle.hash, ...hostsJson(found) });
  else {
    const rows = found.flatMap((each) => {
      if (!each.ok) return [[each.host.name, "not reached", "", "", ""]];
      if (each.value.agents.length === 0) return [[each.host.name, "none", "", "", ""]];
      return each.value.agents.map((a) =>
        a.isLost
          ? [each.host.name, "lost", `${a.pid}`, "its directories are gone", `nexadist agent uninstall --host ${each.host.name}`]
          : [each.host.name, a.running ? "running" : "ended", `${a.pid}`, buildWords(a.bundle, agentBundle.hash), runWords(a)],
      );
    });
    for (const line of formatTable([["HOST", "AGENT", "PID", "BUILD", "RUNS"], ...rows.map((row) => row.map(sanitiseWord))])) context.print(line);
  }
  return tellMissing(context, found);
};

export const agentUpgrade: Run = async (context, [file], options) => {
  const { hosts } = loadHosts(context, file, options);
  if (options.dryRun === true) return planUpgrade(context, hosts, options);
  const { agentBundle } = await readManifest();
  const found = await onHosts(
    hosts,
    (host) =>
      withHost(host, context, options, async (transport) => {
        const current = (await findAgents(transport, host)).find((agent) => agent.running && agent.bundle === agentBundle.hash);
        if (current !== undefined) return { pid: current.pid, bundle: current.bundle, isCurrent: true };
        const { pid, bundle } = await bringUpAgent(transport, host, await lookAt(transport, host), sayOnce(context, host.name));
        return { pid, bundle, isCurrent: false };
      }),
    {
      onEach: (each) =>
        each.ok &&
        !context.json &&
        context.print(
          each.value.isCurrent
            ? `${sanitiseWord(each.host.name)}: is current (pid ${each.value.pid})`
            : `${sanitiseWord(each.host.name)}: agent of this build runs (pid ${each.value.pid}); training was not touched`,
        ),
    },
  );
  if (context.json) context.printJson(hostsJson(found));
  return tellMissing(context, found);
};

/** Each kind of step once: bytes that count up are no news in a log. */
function sayOnce(context: Context, host: string): (text: string) => void {
  const said = new Set<string>();
  return (text) => {
    const kind = text.replace(/[\d.]+/g, "#");
    if (!said.has(kind)) context.say(aboutHost(host, text.replace(/, [\d.]+ of /, ", ")));
    said.add(kind);
  };
}

const planUpgrade = async (context: Parameters<Run>[0], hosts: ReturnType<typeof loadHosts>["hosts"], options: Parameters<Run>[2]): Promise<number> => {
  const { agentBundle } = await readManifest();
  const would = (agents: readonly FoundAgent[]): string => {
    const running = agents.find((agent) => agent.running && !agent.isLost);
    if (running === undefined) return "would start an agent of this build";
    if (running.bundle === agentBundle.hash) return `would change nothing: agent ${running.pid} is of this build`;
    return `would replace agent ${running.pid} (${buildWords(running.bundle, agentBundle.hash)}) by one of this build; training goes on`;
  };
  const found = await onHosts(hosts, (host) => withHost(host, context, options, async (transport) => ({ would: would(await findAgents(transport, host)) })), {
    onEach: (each) => each.ok && !context.json && context.print(`${sanitiseWord(each.host.name)}: ${each.value.would}`),
  });
  if (context.json) context.printJson({ isDryRun: true, build: agentBundle.hash, ...hostsJson(found) });
  return tellMissing(context, found);
};
