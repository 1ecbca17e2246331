/** Stops this user's runs on hosts that are about to be cleared: the controller that leads them would bring everything back. */

import { reduce } from "../../cluster/run/reduce.ts";
import { hostsOf, isOver, type RunState } from "../../cluster/run/state.ts";
import { sanitiseWord } from "../../cluster/sanitise.ts";
import type { HostSpec } from "../../cluster/spec.ts";
import { runNames } from "../daemon/stored-runs.ts";
import { awaiting } from "./awaited.ts";
import type { Client } from "./client.ts";
import type { Context } from "./context.ts";
import { findDaemon, findOrStartDaemon } from "./daemon-start.ts";
import { type KnownRun, listRuns, readRun } from "./known-run.ts";
import { whoAsks } from "./watch-run.ts";

/** A stop without grace; hosts that cannot be asked are given up well before. */
const STOP_MS = 60_000;

/** Gives the runs that were stopped. A controller that is down would resume its runs at the next command: it is started for this. */
export async function stopRunsOn(context: Context, hosts: readonly HostSpec[]): Promise<readonly string[]> {
  const client = runNames().length === 0 ? await findDaemon() : await findOrStartDaemon();
  if (client === null) return [];
  try {
    const own = (await listRuns(client, false)).filter(({ endedAt, ledBy }) => endedAt === null && ledBy === undefined);
    const known = await Promise.all(own.map(({ run }) => readRun(client, run)));
    const here = known.filter(({ state }) => state.spec.hosts.some((one) => hosts.some((host) => isSame(one, host))));
    await Promise.all(here.map((each) => stopOne(context, client, each)));
    return here.map(({ state }) => state.spec.run);
  } finally {
    client.close();
  }
}

const isSame = (one: HostSpec, other: HostSpec): boolean =>
  one.transport === other.transport && (one.name === other.name || (one.transport === "ssh" && one.address === other.address));

async function stopOne(context: Context, client: Client, known: KnownRun): Promise<void> {
  const { run } = known.state.spec;
  context.say(`stopping ${sanitiseWord(run)}, which trains there`);
  await client.ask({ ask: "stop", run, graceMs: 0, by: whoAsks(), why: "nexadist agent uninstall --force" });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, STOP_MS);
  });
  await awaiting(context, run, "not stopped on all hosts yet", Promise.race([untilCleared(client, known), late])).finally(() => clearTimeout(timer));
}

async function untilCleared(client: Client, { state: known, events }: KnownRun): Promise<void> {
  let state = known;
  for await (const item of client.stream({ ask: "watch", run: state.spec.run, from: events, logs: false })) {
    if (item.kind === "event") state = reduce(state, item.event);
    if (isCleared(state)) return;
  }
}

/** Nothing is left for the controller to tell an agent that it can reach. */
const isCleared = (state: RunState): boolean =>
  isOver(state) && hostsOf(state).every((host) => host.agent === null || host.stage === "forgot" || host.receipt === "unknown");
