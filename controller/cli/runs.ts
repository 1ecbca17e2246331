/** `ps` and `runs`: the runs that are alive, and all of them. */

import { fail } from "../../cluster/errors.ts";
import { hostShare } from "../../cluster/host-count.ts";
import { sanitiseWord } from "../../cluster/sanitise.ts";
import { aboutHost } from "../../cluster/view/about-host.ts";
import { runTable } from "../../cluster/view/run-table.ts";
import { fitTo } from "../../cluster/view/table.ts";
import { tint } from "../../cluster/view/tint.ts";
import type { FoundRun, RunSummary } from "../../cluster/viewer.ts";
import type { Client } from "./client.ts";
import type { Options, Run } from "./commands.ts";
import type { Context } from "./context.ts";
import { findController } from "./find-controller.ts";
import { listRuns } from "./known-run.ts";
import { loadHosts } from "./load-cluster.ts";
import { lentOf } from "./takeover.ts";

function show(context: Context, found: readonly RunSummary[], none: string): number {
  const { isTTY, columns } = process.stdout;
  if (context.json) context.printJson({ runs: found });
  else if (found.length === 0) context.say(none);
  else
    for (const line of runTable(found, Date.now(), isTTY === true ? columns : Number.POSITIVE_INFINITY)) {
      const fitted = isTTY === true ? fitTo(line, columns) : line;
      context.print(context.hasColour ? tint(fitted) : fitted);
    }
  return 0;
}

const latestFirst = (found: readonly RunSummary[]): readonly RunSummary[] => [...found].sort((a, b) => b.requestedAt - a.requestedAt);

/** Runs that the hosts of the file keep, whoever leads them. */
async function listKept(context: Context, client: Client, options: Options): Promise<readonly RunSummary[]> {
  const { hosts, connectMs } = loadHosts(context, undefined, options);
  const items = client.stream({ ask: "find-runs", hosts, lent: lentOf(context, options, connectMs) });
  for (;;) {
    const { done, value } = await items.next();
    if (done === true) return (value as readonly FoundRun[]).map(asSummary);
    if (value.kind === "notice") context.say(value.host === null ? sanitiseWord(value.text) : aboutHost(value.host, value.text));
  }
}

const asSummary = ({ run, spec, state, leader, isLed }: FoundRun): RunSummary => ({
  run,
  name: spec.name,
  phase: state.phase,
  ...hostShare(spec, state),
  ranks: state.world,
  attempt: state.attempt,
  requestedAt: state.requestedAt,
  endedAt: state.endedAt,
  file: spec.file,
  by: state.by,
  failure: state.failure?.text ?? state.trouble?.text ?? null,
  ...(state.queue == null ? {} : { waitsFor: state.queue.busy }), // absent in records of before
  ledBy: isLed ? leader : `${leader}, which is gone`,
});

export const ps: Run = async (context, _args, options) => {
  const client = await findController(context, options);
  const here = await listRuns(client, options.all === true);
  const kept = context.cluster === undefined ? [] : await listKept(context, client, options);
  const elsewhere = kept.filter((found) => !here.some((r) => r.run === found.run));
  return show(
    context,
    latestFirst([...here, ...elsewhere]),
    `no run is alive${context.cluster === undefined ? "" : " here or on the hosts that answered"}; nexadist runs shows ended ones`,
  );
};

export const runs: Run = async (context, _args, options) => {
  const limit = options.limit === undefined ? 20 : Number(options.limit);
  if (!Number.isInteger(limit) || limit < 1)
    throw fail("USAGE", { what: `--limit takes a whole number from 1, not ${String(options.limit)}`, fix: "nexadist runs --limit 20" });
  const client = await findController(context, options);
  return show(context, latestFirst(await listRuns(client, true)).slice(0, limit), "no runs yet; nexadist up starts one");
};
