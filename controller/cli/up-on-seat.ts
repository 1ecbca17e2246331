/** `up` with a seat: what the seat must reach is checked first; the run begins from here and is led from the seat once its ranks have started. */

import { EXIT } from "../../cluster/errors.ts";
import { reduce } from "../../cluster/run/reduce.ts";
import { hostsOf, isOver, type RunState } from "../../cluster/run/state.ts";
import { sanitiseWord } from "../../cluster/sanitise.ts";
import type { RunSpec } from "../../cluster/spec.ts";
import { describeEvent } from "../../cluster/view/event-line.ts";
import { liveLines } from "../../cluster/view/summary.ts";
import type { TakenRun } from "../../cluster/viewer.ts";
import type { Client } from "./client.ts";
import type { Options } from "./commands.ts";
import type { Context } from "./context.ts";
import { readRun } from "./known-run.ts";
import { tellOwn } from "./open-run.ts";
import { checkSeat, openSeat, seenFrom } from "./seat.ts";
import { showRun } from "./show-run.ts";
import { whoAsks } from "./watch-run.ts";

const LEFT_MS = 5000;

export type Seated = { readonly client: Client; readonly seat: string };

/** null: the file names no seat. Errors: SEAT_UNABLE, and those of reaching the seat. */
export async function takeSeat(context: Context, options: Options, { seat, hosts }: RunSpec): Promise<Seated | null> {
  const host = hosts.find((each) => each.name === seat);
  if (seat === null || host === undefined) return null;
  const client = await openSeat(context, options, host);
  await checkSeat(client, seat, hosts);
  context.say(`${sanitiseWord(seat)}: takes the seat; it reaches all hosts with its own credentials`);
  return { client, seat };
}

/** Watches the run here until its ranks have started, then leaves it to the seat and watches it there. */
export async function handOver(context: Context, here: Client, { client, seat }: Seated, run: string, options: Options): Promise<number> {
  const state = await untilStarted(context, here, run);
  if (isOver(state)) return showRun(context, here, run, options, { known: null, stopsOnSignal: false });
  const hosts = seenFrom(seat, state.spec.hosts);
  const taken = (await client.ask({ ask: "take-over", hosts, run, force: true, file: state.spec.file, lent: null, by: whoAsks() })) as TakenRun;
  await untilLeft(here, run);
  context.say(`==> ${run} is led from ${sanitiseWord(seat)} now (epoch ${taken.epoch}); this machine may sleep`);
  here.close();
  const host = state.spec.hosts.find((each) => each.name === seat);
  const find = host === undefined ? {} : { find: () => openSeat(context, options, host) };
  if (options.detach !== true) return showRun(context, client, run, options, { known: null, stopsOnSignal: true, ended: tellOwn, ...find });
  client.close();
  if (context.json) context.printJson({ run, isDetached: true, seat });
  else {
    context.print(run);
    for (const line of liveLines(run, "under way")) context.say(line);
  }
  return EXIT.ok;
}

/** What is asked of this machine afterwards goes to the seat: it is to know by then. It may be cut off from the hosts; then it learns later. */
async function untilLeft(here: Client, run: string): Promise<void> {
  const known = await readRun(here, run);
  let { state } = known;
  const items = here.stream({ ask: "watch", run, from: known.events, logs: false });
  const late = new Promise<null>((resolve) => setTimeout(resolve, LEFT_MS, null).unref());
  while (state.fenced === null && !isOver(state)) {
    const next = await Promise.race([items.next(), late]);
    if (next === null || next.done === true) break;
    if (next.value.kind === "event") state = reduce(state, next.value.event);
  }
  void items.return(null);
}

async function untilStarted(context: Context, here: Client, run: string): Promise<RunState> {
  const known = await readRun(here, run);
  let { state } = known;
  const isLaunched = (): boolean => state.phase === "running" || isOver(state) || (state.attempt > 0 && hostsOf(state).some((h) => h.receipt !== null));
  if (isLaunched()) return state;
  for await (const item of here.stream({ ask: "watch", run, from: known.events, logs: false })) {
    if (item.kind !== "event") continue;
    const before = state;
    state = reduce(state, item.event);
    if (!context.json) for (const line of describeEvent(before, state, item.event)) context.say(line);
    if (isLaunched()) break;
  }
  return state;
}
