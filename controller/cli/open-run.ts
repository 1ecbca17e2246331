/** The run that a command is about, at the controller that leads it: one that was left to a seat is asked for there, whatever this machine knew of it. */

import { fail, NexaError } from "../../cluster/errors.ts";
import { isOver, owingHosts, type RunState } from "../../cluster/run/state.ts";
import { sanitiseWord } from "../../cluster/sanitise.ts";
import type { RunSummary } from "../../cluster/viewer.ts";
import type { Client } from "./client.ts";
import type { Options } from "./commands.ts";
import type { Context } from "./context.ts";
import { findOrStartDaemon } from "./daemon-start.ts";
import { findController, seatOf } from "./find-controller.ts";
import { findRun, readRun } from "./known-run.ts";

export type OpenedRun = {
  readonly client: Client;
  readonly run: string;
  /** The same controller, when this connection to it is lost. */
  readonly find: () => Promise<Client>;
  /** To be told of its end: this machine's own controller hears of what another one does only so. */
  readonly ended: (state: RunState) => Promise<void>;
};

const noMatter = (): Promise<void> => Promise.resolve();

/** For commands that only look: without the seat, what was known here is said to be old, and shown. Errors: NO_RUN, USAGE. */
export async function lookAtRun(context: Context, options: Options, wanted: unknown): Promise<OpenedRun> {
  const here = await findController(context, options);
  return lookWhereLed(context, options, here, await findRun(here, context, wanted));
}

export async function lookWhereLed(context: Context, options: Options, here: Client, found: RunSummary): Promise<OpenedRun> {
  try {
    return await whereLed(context, options, here, found);
  } catch (error) {
    if (!(error instanceof NexaError) || error.code !== "SEAT_SILENT") throw error;
    context.say(`${error.message}; what follows is the last that this machine knew`);
    context.say(`  try: ${error.hint}`);
    return { client: here, run: found.run, find: () => findController(context, options), ended: noMatter };
  }
}

/** Errors: SEAT_SILENT. */
export async function whereLed(context: Context, options: Options, here: Client, { run, ledBy }: RunSummary): Promise<OpenedRun> {
  const asked = { client: here, run, find: () => findController(context, options), ended: noMatter };
  if (ledBy === undefined || seatOf(context) !== null) return asked;
  const { seat, hosts, file } = (await readRun(here, run)).state.spec;
  const host = hosts.find(({ name }) => name === seat);
  if (host === undefined) return asked;
  const { openSeat } = await import("./seat.ts");
  const find = (): Promise<Client> => openSeat(context, options, host);
  try {
    const client = await find();
    await tellEnd(here, (await readRun(client, run)).state);
    here.close();
    return { client, run, find, ended: tellOwn };
  } catch (error) {
    if (!(error instanceof NexaError)) throw error;
    throw fail("SEAT_SILENT", { run, seat: sanitiseWord(host.name), why: error.message, file: file ?? "FILE" }, error);
  }
}

/** The controller of this machine. */
export async function tellOwn(state: RunState): Promise<void> {
  const own = await findOrStartDaemon();
  await tellEnd(own, state).finally(own.close);
}

async function tellEnd(own: Client, state: RunState): Promise<void> {
  const { phase, endedAt, failure, spec } = state;
  if (!isOver(state) || endedAt === null || (phase !== "succeeded" && phase !== "failed" && phase !== "stopped")) return;
  const end = { phase, endedAt, failure: failure?.text ?? null, owing: owingHosts(state).map(({ name }) => name) };
  await own.ask({ ask: "ended-elsewhere", run: spec.run, end });
}
