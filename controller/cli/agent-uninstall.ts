/** `agent uninstall`: takes everything of ours off the hosts, all at once; says what of the user's was left. */

import { z } from "zod";
import { fail } from "../../cluster/errors.ts";
import { sanitiseWord } from "../../cluster/sanitise.ts";
import { lookAt } from "../reach/bootstrap.ts";
import { callHelper } from "../reach/helper.ts";
import { planUninstall, UNINSTALL_MS, type UninstallPlan, type UninstallWishes, uninstallRequest } from "./agent-look.ts";
import { askKey } from "./ask.ts";
import type { Options, Run } from "./commands.ts";
import type { Context } from "./context.ts";
import { loadHosts } from "./load-cluster.ts";
import { onHosts, withHost } from "./reach-host.ts";
import { stopRunsOn } from "./stop-runs-on.ts";
import { hostsJson, tellMissing } from "./tell-missing.ts";

const removedSchema = z.object({
  removed: z.array(z.string()),
  left: z.array(z.string()),
  leftCount: z.int(),
  otherHosts: z.array(z.string()),
  agents: z.array(z.string()),
});
type Removed = z.infer<typeof removedSchema>;

export const agentUninstall: Run = async (context, [file], options) => {
  const { hosts } = loadHosts(context, file, options);
  const wishes = { purge: options.purge === true, force: options.force === true };
  if (options.dryRun === true) return tellPlans(context, hosts, options, wishes);
  if ((wishes.purge || wishes.force) && !context.yes)
    await confirm(context, wishes.purge ? "delete what jobs wrote in their run directories" : "end runs that are alive", hosts.length);
  if (wishes.force) await stopRunsOn(context, hosts);
  const found = await onHosts(
    hosts,
    (host) =>
      withHost(host, context, options, async (transport) => {
        const { stateDir } = await lookAt(transport, host);
        const request = { op: "uninstall", ...uninstallRequest(host, stateDir, wishes) };
        return removedSchema.parse(await callHelper(transport, host.name, request, null, UNINSTALL_MS));
      }),
    { onEach: (each) => each.ok && !context.json && tellRemoved(context, each.host.name, each.value) },
  );
  if (context.json) context.printJson(hostsJson(found));
  return tellMissing(context, found);
};

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;

function tellRemoved(context: Context, host: string, removed: Removed): void {
  const name = sanitiseWord(host);
  context.print(`${name}: nothing of nexadist is left (${count(removed.agents.length, "agent")} ended)`);
  if (removed.leftCount > 0) {
    context.print(`${name}: ${count(removed.leftCount, "file")} that jobs wrote stay (--purge deletes them too):`);
    for (const path of removed.left) context.print(`  ${sanitiseWord(path)}`);
  }
  if (removed.otherHosts.length > 0) context.print(`${name}: its home also holds the agents of ${removed.otherHosts.length} other host(s); those stay`);
}

async function tellPlans(context: Context, hosts: ReturnType<typeof loadHosts>["hosts"], options: Options, wishes: UninstallWishes): Promise<number> {
  const found = await onHosts(
    hosts,
    (host) => withHost(host, context, options, async (transport) => planUninstall(transport, host, (await lookAt(transport, host)).stateDir, wishes)),
    { onEach: (each) => each.ok && !context.json && tellPlan(context, each.host.name, each.value, wishes) },
  );
  if (context.json) context.printJson({ isDryRun: true, ...hostsJson(found) });
  return tellMissing(context, found);
}

function tellPlan(context: Context, host: string, plan: UninstallPlan, wishes: UninstallWishes): void {
  const name = sanitiseWord(host);
  const live = plan.live.map(sanitiseWord).join(", ");
  if (live !== "" && !wishes.force)
    return context.print(
      `${name}: would refuse: still running here: ${live} (${plan.live.map((run) => `nexadist stop ${sanitiseWord(run)}`).join("; ")}; or --force ends them)`,
    );
  if (plan.remove.length === 0) return context.print(`${name}: would change nothing: nothing of nexadist is there`);
  context.print(`${name}: would end ${count(plan.agents.length, "agent")}${live === "" ? "" : ` and ${live}`}, and remove:`);
  for (const path of plan.remove) context.print(`  ${sanitiseWord(path)}`);
  if (plan.leftCount > 0) context.print(`${name}: would leave ${count(plan.leftCount, "file")} that jobs wrote:`);
  for (const path of plan.left) context.print(`  ${sanitiseWord(path)}`);
}

async function confirm(context: Context, what: string, hosts: number): Promise<void> {
  if (!context.isInteractive) throw fail("NEEDS_TERMINAL", { what: `to ${what}`, fix: "give -y to say yes beforehand" });
  const key = await askKey(process.stdin, (text) => void process.stderr.write(text), `${what} on ${hosts} host(s)? [y/N] `);
  if (key !== "y") throw fail("USAGE", { what: "nothing was changed", fix: "give -y to say yes beforehand" });
}
