/** Asks the controller for its runs and finds the one that a command is about. */

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { RunState } from "../../cluster/run/state.ts";
import type { Pace } from "../../cluster/steps/pace.ts";
import type { RunSummary } from "../../cluster/viewer.ts";
import type { Client } from "./client.ts";
import type { Context } from "./context.ts";
import { pickLive, pickRun } from "./pick-run.ts";

/** The cluster file that is meant where none is named, or null when there is none. */
export function fileHere(context: Context): string | null {
  if (context.cluster !== undefined) return resolve(context.cwd, context.cluster);
  const found = resolve(context.cwd, "cluster.yaml");
  return existsSync(found) ? found : null;
}

export const listRuns = async (client: Client, all: boolean): Promise<readonly RunSummary[]> =>
  (await client.ask({ ask: "runs", all })) as readonly RunSummary[];

const named = (context: Context): string | null => (context.cluster === undefined ? null : resolve(context.cwd, context.cluster));

/** Of the runs of the file that -c names, else of all; says which one was taken where none was named and there are others. */
export async function findRun(client: Client, context: Context, wanted: unknown): Promise<RunSummary> {
  const all = await listRuns(client, true);
  const found = pickRun(all, typeof wanted === "string" ? wanted : undefined, named(context));
  if (wanted === undefined && all.length > 1) context.say(`the latest run: ${found.run}`);
  return found;
}

export const findLiveRun = async (client: Client, context: Context, wanted: unknown, command: "stop" | "restart"): Promise<RunSummary> =>
  pickLive(await listRuns(client, true), typeof wanted === "string" ? wanted : undefined, named(context), command);

export type KnownRun = {
  readonly state: RunState;
  /** How many the journal holds; watching goes on from there. */
  readonly events: number;
  readonly dir: string;
  /** When its ranks last wrote, as far as the controller heard; null: not known. */
  readonly wroteAt: number | null;
  /** How its training gets on; null: not known, or it is over. */
  readonly pace: Pace | null;
  /** What the last attempt began with: what is done again, what could not be had. */
  readonly notes: readonly string[];
};

export const readRun = async (client: Client, run: string): Promise<KnownRun> => (await client.ask({ ask: "run", run })) as KnownRun;
