/** `ps` and `runs`: the runs that are alive, and all of them. */

import { fail } from "../../cluster/errors.ts";
import { runTable } from "../../cluster/view/run-table.ts";
import { fitTo } from "../../cluster/view/table.ts";
import type { RunSummary } from "../../cluster/viewer.ts";
import type { Run } from "./commands.ts";
import type { Context } from "./context.ts";
import { findOrStartDaemon } from "./daemon-start.ts";
import { listRuns } from "./known-run.ts";

function show(context: Context, found: readonly RunSummary[], none: string): number {
  const { isTTY, columns } = process.stdout;
  if (context.json) context.printJson({ runs: found });
  else if (found.length === 0) context.say(none);
  else for (const line of runTable(found, Date.now())) context.print(isTTY === true ? fitTo(line, columns) : line);
  return 0;
}

const latestFirst = (found: readonly RunSummary[]): readonly RunSummary[] => [...found].sort((a, b) => b.requestedAt - a.requestedAt);

export const ps: Run = async (context, _args, options) => {
  const client = await findOrStartDaemon();
  return show(context, latestFirst(await listRuns(client, options.all === true)), "no run is alive; nexadist runs shows ended ones");
};

export const runs: Run = async (context, _args, options) => {
  const limit = options.limit === undefined ? 20 : Number(options.limit);
  if (!Number.isInteger(limit) || limit < 1)
    throw fail("USAGE", { what: `--limit takes a whole number from 1, not ${String(options.limit)}`, fix: "nexadist runs --limit 20" });
  const client = await findOrStartDaemon();
  return show(context, latestFirst(await listRuns(client, true)).slice(0, limit), "no runs yet; nexadist up starts one");
};
