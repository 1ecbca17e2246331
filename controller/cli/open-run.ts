/** The run that a command is about, at the controller that leads it: one that was left to a seat is asked for there, whatever this machine knew of it. */

import { fail, NexaError } from "../../cluster/errors.ts";
import { sanitiseWord } from "../../cluster/sanitise.ts";
import type { RunSummary } from "../../cluster/viewer.ts";
import type { Client } from "./client.ts";
import type { Options } from "./commands.ts";
import type { Context } from "./context.ts";
import { findController, seatOf } from "./find-controller.ts";
import { findRun, readRun } from "./known-run.ts";

export type OpenedRun = {
  readonly client: Client;
  readonly run: string;
  /** The same controller, when this connection to it is lost. */
  readonly find: () => Promise<Client>;
};

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
    return { client: here, run: found.run, find: () => findController(context, options) };
  }
}

/** Errors: SEAT_SILENT. */
export async function whereLed(context: Context, options: Options, here: Client, { run, ledBy }: RunSummary): Promise<OpenedRun> {
  const asked = { client: here, run, find: () => findController(context, options) };
  if (ledBy === undefined || seatOf(context) !== null) return asked;
  const { seat, hosts, file } = (await readRun(here, run)).state.spec;
  const host = hosts.find(({ name }) => name === seat);
  if (host === undefined) return asked;
  const { openSeat } = await import("./seat.ts");
  const find = (): Promise<Client> => openSeat(context, options, host);
  try {
    const client = await find();
    await readRun(client, run);
    here.close();
    return { client, run, find };
  } catch (error) {
    if (!(error instanceof NexaError)) throw error;
    throw fail("SEAT_SILENT", { run, seat: sanitiseWord(host.name), why: error.message, file: file ?? "FILE" }, error);
  }
}
