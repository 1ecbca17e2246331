/** `agent status|upgrade|uninstall`: the agents on the hosts, over SSH and without the controller. */

import { z } from "zod";
import { EXIT, fail } from "../../cluster/errors.ts";
import { sanitiseWord } from "../../cluster/sanitise.ts";
import { aboutHost } from "../../cluster/view/about-host.ts";
import { formatTable } from "../../cluster/view/table.ts";
import { readManifest } from "../assets.ts";
import { bringUpAgent, lookAt } from "../reach/bootstrap.ts";
import { callHelper } from "../reach/helper.ts";
import { findAgents } from "./agent-look.ts";
import { askKey } from "./ask.ts";
import type { Run } from "./commands.ts";
import type { Context } from "./context.ts";
import { loadHosts } from "./load-cluster.ts";
import { onHosts, type Reached, withHost } from "./reach-host.ts";

/** Whole uninstall on one host: files of many runs may have to be hashed. */
const UNINSTALL_MS = 10 * 60_000;

function tellMissing(context: Context, found: readonly Reached<unknown>[]): number {
  const missing = found.filter((each) => !each.ok);
  if (!context.json) {
    for (const each of missing) {
      if (each.ok) continue;
      process.stderr.write(`${aboutHost(each.host.name, each.problem.message)}\n`);
      if (each.problem.hint !== "") process.stderr.write(`  try: ${sanitiseWord(each.problem.hint)}\n`);
    }
  }
  return missing.length > 0 ? EXIT.unreachable : EXIT.ok;
}

const asJson = (found: readonly Reached<object>[]): object => ({
  hosts: found.map((each) => ({ host: each.host.name, ...(each.ok ? each.value : { problem: each.problem }) })),
});

export const agentStatus: Run = async (context, [file], options) => {
  const { hosts } = loadHosts(context, file, options);
  const { agentBundle } = await readManifest();
  const found = await onHosts(hosts, (host) => withHost(host, context, options, async (transport) => ({ agents: await findAgents(transport, host) })));
  if (context.json) context.printJson({ build: agentBundle.hash, ...asJson(found) });
  else {
    const rows = found.flatMap((each) => {
      if (!each.ok) return [[each.host.name, "not reached", "", ""]];
      if (each.value.agents.length === 0) return [[each.host.name, "none", "", ""]];
      return each.value.agents.map((a) => [
        each.host.name,
        a.isAlive ? "running" : "ended",
        `${a.pid}`,
        a.bundle === agentBundle.hash ? "this build" : `another build (${a.bundle.slice(0, 12)})`,
      ]);
    });
    for (const line of formatTable([["HOST", "AGENT", "PID", "BUILD"], ...rows.map((row) => row.map(sanitiseWord))])) context.print(line);
  }
  return tellMissing(context, found);
};

export const agentUpgrade: Run = async (context, [file], options) => {
  const { hosts } = loadHosts(context, file, options);
  const found = await onHosts(
    hosts,
    (host) =>
      withHost(host, context, options, async (transport) => {
        const agent = await bringUpAgent(transport, host, await lookAt(transport, host), (text) =>
          context.say(`${sanitiseWord(host.name)}: ${sanitiseWord(text)}`),
        );
        return { pid: agent.pid, bundle: agent.bundle };
      }),
    {
      onEach: (each) =>
        each.ok &&
        !context.json &&
        context.print(`${sanitiseWord(each.host.name)}: agent of this build runs (pid ${each.value.pid}); training was not touched`),
    },
  );
  if (context.json) context.printJson(asJson(found));
  return tellMissing(context, found);
};

const removedSchema = z.object({
  removed: z.array(z.string()),
  left: z.array(z.string()),
  leftCount: z.int(),
  otherHosts: z.array(z.string()),
  agents: z.array(z.string()),
});

export const agentUninstall: Run = async (context, [file], options) => {
  const { hosts } = loadHosts(context, file, options);
  const isDrastic = options.purge === true || options.force === true;
  if (isDrastic && !context.yes)
    await confirm(context, options.purge === true ? "delete what jobs wrote in their run directories" : "end runs that are alive", hosts.length);
  const found = await onHosts(
    hosts,
    (host) =>
      withHost(host, context, options, async (transport) => {
        const { stateDir } = await lookAt(transport, host);
        const request = { op: "uninstall", stateDir, purge: options.purge === true, force: options.force === true };
        return removedSchema.parse(await callHelper(transport, host.name, request, null, UNINSTALL_MS));
      }),
    // One after the other: hosts may share a home, and the last one takes the shared part away.
    { isSerial: true, onEach: (each) => each.ok && !context.json && tellRemoved(context, each.host.name, each.value) },
  );
  if (context.json) context.printJson(asJson(found));
  return tellMissing(context, found);
};

function tellRemoved(context: Context, host: string, removed: z.infer<typeof removedSchema>): void {
  const name = sanitiseWord(host);
  context.print(`${name}: nothing of nexadist is left (${removed.agents.length} agent${removed.agents.length === 1 ? "" : "s"} ended)`);
  if (removed.leftCount > 0) {
    context.print(`${name}: ${removed.leftCount} file${removed.leftCount === 1 ? "" : "s"} that jobs wrote stay (--purge deletes them too):`);
    for (const path of removed.left) context.print(`  ${sanitiseWord(path)}`);
  }
  if (removed.otherHosts.length > 0) context.print(`${name}: its home also holds the agents of ${removed.otherHosts.length} other host(s); those stay`);
}

async function confirm(context: Context, what: string, count: number): Promise<void> {
  if (!context.isInteractive) throw fail("NEEDS_TERMINAL", { what: `to ${what}`, fix: "give -y to say yes beforehand" });
  const key = await askKey(process.stdin, (text) => void process.stderr.write(text), `${what} on ${count} host(s)? [y/N] `);
  if (key !== "y") throw fail("USAGE", { what: "nothing was changed", fix: "give -y to say yes beforehand" });
}
