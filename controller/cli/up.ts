/** `up`: from the cluster file to ranks that train, watched until the end or left behind. */

import { EXIT, NexaError } from "../../cluster/errors.ts";
import { hostCount } from "../../cluster/host-count.ts";
import { isOver } from "../../cluster/run/state.ts";
import { sanitiseWord } from "../../cluster/sanitise.ts";
import type { RunSpec } from "../../cluster/spec.ts";
import { liveLines } from "../../cluster/view/summary.ts";
import type { RunSummary } from "../../cluster/viewer.ts";
import { askKey } from "./ask.ts";
import { awaitGpus } from "./await-gpus.ts";
import type { Client } from "./client.ts";
import type { Options, Run } from "./commands.ts";
import type { Context } from "./context.ts";
import { findOrStartDaemon } from "./daemon-start.ts";
import { listRuns, readRun } from "./known-run.ts";
import { loadRun } from "./load-cluster.ts";
import { showRun } from "./show-run.ts";
import { sleepWords } from "./sleepy.ts";
import { lentOf } from "./takeover.ts";
import { whoAsks } from "./watch-run.ts";

export const up: Run = async (context, [file], options) => {
  const { spec: asked, secrets } = loadRun(context, file, options, new Date());
  const spec = { ...asked, preflight: true, ...(options.wait === true ? { waitsForGpus: true } : {}), ...(options.force === true ? { isForced: true } : {}) };
  if (options.dryRun === true) return (await import("./dry-run.ts")).dryRun(context, spec, options);
  context.say(`${sanitiseWord(spec.name)}: ${hostCount(spec)}, ${jobWords(spec)}`);
  const words = sleepWords(
    spec.seat,
    spec.hosts.map((host) => host.name),
  );
  if (words !== null) context.say(words);
  if (spec.code.kind === "in-place" && spec.job.kind === "script")
    context.say(`no code is sent: only ${sanitiseWord(spec.job.script)} is compared between the hosts, what it imports is not`);
  const seating = spec.seat === null ? null : await import("./up-on-seat.ts"); // loaded only where there is one
  const seated = (await seating?.takeSeat(context, options, spec)) ?? null;
  const client = await findOrStartDaemon();
  const same = (await listRuns(client, false)).find(
    (run) => run.name === spec.name && run.ledBy === undefined && !["succeeded", "failed", "stopped"].includes(run.phase),
  );
  if (same !== undefined && context.isInteractive) return offerAttach(context, client, same, options);
  const { run } = (await client.ask({ ask: "up", spec, secrets, lent: lentOf(context, options), by: whoAsks() })) as { run: string };
  if (seating !== null && seated !== null) return seating.handOver(context, client, seated, run, options);
  if (options.detach === true) {
    const refused = await awaitGpus(context, client, run, spec);
    if (refused !== null) {
      client.close();
      return refused;
    }
    client.close();
    if (context.json) context.printJson({ run, isDetached: true });
    else {
      context.print(run);
      for (const line of liveLines(run, "under way")) context.say(line);
    }
    return EXIT.ok;
  }
  const exit = await showRun(context, client, run, options, { known: null, stopsOnSignal: true });
  if (exit === EXIT.runFailed && !context.json && !context.quiet) await (await import("./diag-after.ts")).lookAfter(context, options, spec);
  return exit;
};

function jobWords({ job }: RunSpec): string {
  switch (job.kind) {
    case "smoke":
      return "no job given: the smoke test, so that all ranks talk to each other once";
    case "script":
      return sanitiseWord(job.script);
    case "module":
      return `module ${sanitiseWord(job.module)}`;
    case "command":
      return sanitiseWord(job.argv.join(" ").slice(0, 80));
  }
}

/** Same name, still running: nothing is started twice. */
async function offerAttach(context: Context, client: Client, same: RunSummary, options: Options): Promise<number> {
  const known = await readRun(client, same.run);
  if (isOver(known.state)) throw new NexaError("NO_RUN", { run: same.run });
  context.say(`${sanitiseWord(same.name)} is running already as ${same.run} (${same.phase}); nothing was started`);
  const key = await askKey(process.stdin, (text) => void process.stderr.write(text), "attach to it? [Y/n] ");
  if (key === "y" || key === "\r" || key === "\n") return showRun(context, client, same.run, options, { known, stopsOnSignal: false });
  context.say(`  nexadist attach ${same.run}    nexadist stop ${same.run}    or give another --name`);
  return EXIT.usage;
}
