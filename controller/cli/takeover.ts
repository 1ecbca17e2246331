/** `takeover`: this machine's controller leads a run from here on, from what its hosts have on record; what runs goes on. */

import { reduce } from "../../cluster/run/reduce.ts";
import { membersOf } from "../../cluster/run/state.ts";
import { sanitiseWord } from "../../cluster/sanitise.ts";
import { aboutHost } from "../../cluster/view/about-host.ts";
import type { Lent, TakenRun } from "../../cluster/viewer.ts";
import { absoluteReach } from "../reach/reach-env.ts";
import type { Client } from "./client.ts";
import type { Options, Run } from "./commands.ts";
import type { Context } from "./context.ts";
import { findOrStartDaemon } from "./daemon-start.ts";
import { readRun } from "./known-run.ts";
import { loadHosts } from "./load-cluster.ts";
import { showRun } from "./show-run.ts";
import { whoAsks } from "./watch-run.ts";

const HEARD_MS = 3000;
/** Lines of before that give the newcomer a picture. */
const BEFORE = 20;

/** What a command lends the controller: the base of local hosts' environments, and the SSH agent. */
export function lentOf(context: Context, options: Options, connectMs: number | null = null): Lent {
  const env = Object.fromEntries(Object.entries(context.env).filter((pair): pair is [string, string] => pair[1] !== undefined));
  return {
    env: absoluteReach(env, context.cwd),
    agentSocket: context.env.SSH_AUTH_SOCK ?? null,
    acceptNewHostKeys: options.acceptNewHostKeys === true,
    ...(connectMs === null ? {} : { connectMs }),
  };
}

/** Errors: TAKEN, NO_MAJORITY, RUN_NOT_KEPT. */
export async function takeRun(context: Context, client: Client, wanted: string | null, options: Options): Promise<TakenRun> {
  const { hosts, file, connectMs } = loadHosts(context, undefined, options);
  const run = wanted === "latest" ? null : wanted;
  const request = { ask: "take-over", hosts, run, force: options.force === true, file, lent: lentOf(context, options, connectMs), by: whoAsks() } as const;
  const items = client.stream(request);
  for (;;) {
    const { done, value } = await items.next();
    if (done === true) return value as TakenRun;
    if (value.kind === "notice") context.say(value.host === null ? sanitiseWord(value.text) : aboutHost(value.host, value.text));
  }
}

/** After a takeover: what was said, and the run as it goes on. */
export async function watchTaken(context: Context, client: Client, taken: TakenRun, isDetached: boolean, options: Options): Promise<number> {
  const { run, from, epoch, isMajority, won, hosts } = taken;
  const words =
    from === null ? `${run} is led from here already` : `${run} was led by ${from}; this controller leads it now (${won} of ${hosts} hosts, epoch ${epoch})`;
  context.say(`==> ${sanitiseWord(words)}`);
  if (!isMajority) context.say("    without a majority of the hosts it is only watched, and can be stopped there: nothing is started");
  if (!isDetached && from !== null) await untilHeard(client, run);
  if (!isDetached) return showRun(context, client, run, options, { known: null, last: BEFORE, stopsOnSignal: false });
  client.close();
  if (context.json) context.printJson({ ...taken, isDetached: true });
  else context.print(run);
  return 0;
}

/** Its hosts tell what they have: a first picture without it would be empty. A host that is off is not waited for. */
async function untilHeard(client: Client, run: string): Promise<void> {
  const known = await readRun(client, run);
  let { state } = known;
  const items = client.stream({ ask: "watch", run, from: known.events, logs: false });
  const late = new Promise<null>((resolve) => setTimeout(resolve, HEARD_MS, null));
  while (state.takeover?.isWon !== true || !membersOf(state).every((h) => h.seen)) {
    const next = await Promise.race([items.next(), late]);
    if (next === null || next.done === true) break;
    if (next.value.kind === "event") state = reduce(state, next.value.event);
  }
  void items.return(null);
}

export const takeover: Run = async (context, [wanted], options) => {
  const client = await findOrStartDaemon();
  const taken = await takeRun(context, client, typeof wanted === "string" ? wanted : null, options);
  return watchTaken(context, client, taken, options.detach === true, options);
};
