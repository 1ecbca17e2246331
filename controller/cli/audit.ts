/** `audit`: asks every host over bare SSH what of ours is alive there, whatever the controller knows, and offers to end what is left over. */

import { EXIT } from "../../cluster/errors.ts";
import { sanitiseWord } from "../../cluster/sanitise.ts";
import { lookAt } from "../reach/bootstrap.ts";
import { askKey } from "./ask.ts";
import { auditHost, type Ended, endLeft, isLeft } from "./audit-look.ts";
import { auditLines, cautions } from "./audit-words.ts";
import type { Options, Run } from "./commands.ts";
import type { Context } from "./context.ts";
import { loadHosts } from "./load-cluster.ts";
import { onHosts, type Reached, withHost } from "./reach-host.ts";
import { hostsJson, tellMissing } from "./tell-missing.ts";

/** Exit 4: a host could not be asked, so what is there is unknown; 1: something is left over. */
export const audit: Run = async (context, [file], options) => {
  const { hosts } = loadHosts(context, file, options);
  const found = await onHosts(hosts, (host) =>
    withHost(host, context, options, async (transport) => {
      const { stateDir } = await lookAt(transport, host);
      const before = await auditHost(transport, host, stateDir);
      return { stateDir, ended: 0, ...before };
    }),
  );
  const tell = (each: (typeof found)[number]): void => {
    if (context.json) return;
    const name = sanitiseWord(each.host.name);
    if (!each.ok) return context.print(`${name}: unknown: it could not be asked`);
    if (each.value.ended > 0) context.print(`${name}: ended ${each.value.ended} left over`);
    for (const line of auditLines(each.value)) context.print(`${name}: ${line}`);
  };
  for (const each of found) tell(each);
  for (const line of cautions(found.flatMap((each) => (each.ok ? [{ host: each.host.name, audit: each.value }] : [])))) context.say(line);
  const left = found.filter((each) => each.ok && isLeft(each.value));
  let now: readonly Reached<Ended & { readonly stateDir: string }>[] = found;
  if (left.length > 0 && (await mayEnd(context, options, left.length))) {
    const after = await onHosts(
      left.map((each) => each.host),
      (host) =>
        withHost(host, context, options, async (transport) => {
          const before = left.find((each) => each.host === host);
          if (before?.ok !== true) throw new Error("unreachable");
          return { stateDir: before.value.stateDir, ...(await endLeft(transport, host, before.value.stateDir, before.value)) };
        }),
    );
    for (const each of after) tell(each);
    now = found.map((each) => after.find((one) => one.host === each.host) ?? each);
  } else if (left.length > 0 && !context.json) context.say("nothing was ended; nexadist audit --end ends what is left over");
  if (context.json) context.printJson(hostsJson(now));
  const status = tellMissing(context, now);
  return status === EXIT.ok && now.some((each) => each.ok && isLeft(each.value)) ? EXIT.runFailed : status;
};

async function mayEnd(context: Context, options: Options, hosts: number): Promise<boolean> {
  if (options.end === true || context.yes) return true;
  if (!context.isInteractive) return false;
  const key = await askKey(process.stdin, (text) => void process.stderr.write(text), `end what is left over on ${hosts} host(s)? [y/N] `);
  return key === "y";
}
