/** `drill`: kills parts of a run of its own on the user's hosts, and measures how soon that is known and how soon it trains again. */

import { runId } from "../../cluster/config/run-id.ts";
import { type DrillFault, drillOf, faultsOf, MUST } from "../../cluster/drill/faults.ts";
import { announce, type Drilled, rowsOf } from "../../cluster/drill/report.ts";
import { EXIT, fail } from "../../cluster/errors.ts";
import { hostsOf, membersOf } from "../../cluster/run/state.ts";
import { sanitiseWord } from "../../cluster/sanitise.ts";
import { isAllGone } from "../../cluster/view/receipt.ts";
import { formatTable } from "../../cluster/view/table.ts";
import type { FoundRun } from "../../cluster/viewer.ts";
import { askKey } from "./ask.ts";
import type { Client } from "./client.ts";
import type { Run } from "./commands.ts";
import type { Context } from "./context.ts";
import { findOrStartDaemon } from "./daemon-start.ts";
import { strike } from "./drill-strike.ts";
import { type DrillWatch, watchDrill } from "./drill-watch.ts";
import { listRuns } from "./known-run.ts";
import { loadRun } from "./load-cluster.ts";
import { lentOf } from "./takeover.ts";
import { whoAsks } from "./watch-run.ts";

/** A host may have to be brought our programs first, and torch is slow to load from a network's disk. */
const BEGIN_MS = 10 * 60_000;
const AGAIN_MS = 2 * 60_000;
const STOP_MS = 2 * 60_000;

export const drill: Run = async (context, [file], options) => {
  const now = new Date();
  const { spec: loaded, secrets } = loadRun({ ...context, rest: null }, file, options, now);
  const { notify: _, ...asked } = loaded; // what it kills is no news
  const spec = drillOf(asked, runId("drill", now));
  for (const line of announce(spec)) context.say(sanitiseWord(line));
  if (!(await isAllowed(context))) return EXIT.ok;
  const client = await findOrStartDaemon();
  await refuseBusy(client, asked.hosts, lentOf(context, options));
  await client.ask({ ask: "up", spec, secrets, lent: lentOf(context, options), by: whoAsks() });
  const watch = watchDrill(client, spec.run);
  const drilled: Drilled[] = [];
  const interrupted = (): void => void stopIt(watch, spec.run).finally(() => process.exit(130));
  process.once("SIGINT", interrupted).once("SIGTERM", interrupted);
  let isClean = false;
  try {
    if (!(await trains(watch, 1, BEGIN_MS)))
      throw fail("DRILL_MISSED", { what: `it did not begin to train: ${watch.state()?.failure?.text ?? "nothing was heard"}` });
    context.say(`${spec.run} trains`);
    for (const [n, fault] of faultsOf(spec.launcher).entries()) {
      const one = await drillOne(context, watch, fault, n);
      drilled.push(one);
      context.say(sanitiseWord(`${drilled.length} of ${faultsOf(spec.launcher).length}: ${rowsOf([one])[1]?.slice(0, 5).join(", ")}`));
      if (one.wrong !== null) break;
    }
  } finally {
    isClean = await stopIt(watch, spec.run);
    process.off("SIGINT", interrupted).off("SIGTERM", interrupted);
    watch.close();
  }
  const isGood = isClean && drilled.every(({ wrong }) => wrong === null);
  if (context.json) context.printJson({ run: spec.run, isGood, isClean, faults: drilled });
  else {
    for (const line of formatTable(rowsOf(drilled))) context.print(sanitiseWord(line));
    context.print(isClean ? "nothing of it is left on any host" : `not every host says that nothing is left of it: nexadist status ${spec.run}`);
  }
  return isGood ? EXIT.ok : EXIT.runFailed;
};

async function isAllowed(context: Context): Promise<boolean> {
  if (context.yes) return true;
  if (!context.isInteractive) throw fail("USAGE", { what: "a drill asks before it begins, and nobody can answer here", fix: "nexadist drill --yes" });
  return (await askKey(process.stdin, (text) => void process.stderr.write(text), "begin? [y/N] ")) === "y";
}

/** A live run on these hosts would lose its agent for a moment; nobody asked it. */
async function refuseBusy(client: Client, hosts: Parameters<typeof drillOf>[0]["hosts"], lent: ReturnType<typeof lentOf>): Promise<void> {
  const [own] = (await listRuns(client, false)).filter(({ phase }) => !["succeeded", "failed", "stopped"].includes(phase));
  if (own !== undefined) throw fail("DRILL_BUSY", { run: own.run });
  const [other] = ((await client.ask({ ask: "find-runs", hosts, lent })) as readonly FoundRun[]).filter(({ isLed }) => isLed);
  if (other !== undefined) throw fail("DRILL_BUSY", { run: other.run });
}

const trains = (watch: DrillWatch, attempt: number, withinMs: number): Promise<boolean> =>
  watch.until(() => watch.state()?.phase === "running" && watch.state()?.attempt === attempt && watch.steppedAt(attempt) !== null, withinMs);

async function drillOne(context: Context, watch: DrillWatch, fault: DrillFault, n: number): Promise<Drilled> {
  const state = watch.state();
  if (state === null) throw fail("DRILL_MISSED", { what: "nothing is known of its run" });
  const from = watch.events().length;
  const { at, host } = await strike(context, watch.client(), fault, state, n);
  const sinceStrike = (): ReturnType<DrillWatch["events"]> => watch.events().slice(from);
  const isUntouched = MUST[fault] === "untouched";
  const types = isUntouched ? ["host-unseen", "controller-started"] : ["rank-exited", "launcher-exited", "host-ended"];
  let isAgain: boolean;
  if (isUntouched) {
    const isSeen = (): boolean => sinceStrike().some(({ type }) => type === "host-seen") && membersOf(watch.state() ?? state).every((each) => each.seen);
    isAgain = await watch.until(isSeen, AGAIN_MS);
  } else isAgain = await trains(watch, state.attempt + 1, AGAIN_MS);
  const against = watch.state() ?? state;
  const seen = sinceStrike().find(({ type }) => types.includes(type));
  const again = isUntouched ? (sinceStrike().findLast(({ type }) => type === "host-seen")?.at ?? null) : watch.steppedAt(state.attempt + 1);
  const samePids = JSON.stringify(pidsOf(against)) === JSON.stringify(pidsOf(state));
  const wrong = !isAgain
    ? `it did not: ${against.failure?.text ?? `it is ${against.phase}`}`
    : isUntouched && (against.attempt !== state.attempt || !samePids)
      ? "training was disturbed"
      : null;
  return { fault, host, seenMs: seen === undefined ? null : seen.at - at, againMs: isAgain && again !== null ? again - at : null, wrong };
}

const pidsOf = ({ ranks }: { readonly ranks: Readonly<Record<number, { readonly pid: number }>> }): readonly number[] =>
  Object.values(ranks).map(({ pid }) => pid);

/** True when every host says that nothing is left. */
async function stopIt(watch: DrillWatch, run: string): Promise<boolean> {
  await watch.client().ask({ ask: "stop", run, graceMs: null, by: whoAsks(), why: "the drill is over" });
  await watch.until(() => false, STOP_MS); // ends with the run
  const state = watch.state();
  return state !== null && hostsOf(state).length > 0 && isAllGone(state);
}
