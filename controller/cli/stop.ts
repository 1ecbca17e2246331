/** `stop`: ends a run and waits for what every host says about it. */

import { setTimeout as delay } from "node:timers/promises";
import { durationMs } from "../../cluster/config/units.ts";
import { EXIT, fail } from "../../cluster/errors.ts";
import { reduce } from "../../cluster/run/reduce.ts";
import { isOver, owingHosts } from "../../cluster/run/state.ts";
import { sanitiseWord } from "../../cluster/sanitise.ts";
import { aboutHost } from "../../cluster/view/about-host.ts";
import { describeEvent } from "../../cluster/view/event-line.ts";
import { isAllGone } from "../../cluster/view/receipt.ts";
import { summaryLines } from "../../cluster/view/summary.ts";
import type { Run } from "./commands.ts";
import { findController } from "./find-controller.ts";
import { findLiveRun, readRun } from "./known-run.ts";
import { whereLed } from "./open-run.ts";
import { ANSWER_MS, awaitDebt, deafLines } from "./stop-debt.ts";
import { planStop, stopPlanLines } from "./stop-plan.ts";
import { whoAsks } from "./watch-run.ts";

function graceOf(options: Readonly<Record<string, unknown>>): number | null {
  if (options.now === true) return 0;
  const { timeout } = options;
  if (timeout === undefined) return null;
  const ms = /^\d+(\.\d+)?$/.test(String(timeout)) ? Number(timeout) * 1000 : durationMs(String(timeout));
  if (ms === null) throw fail("USAGE", { what: `--timeout takes a length of time, not ${String(timeout)}`, fix: "nexadist stop --timeout 60s" });
  return ms;
}

/** Exit 0 when every host says that nothing is left, 4 when one cannot. */
export const stop: Run = async (context, [wanted], options) => {
  const graceMs = graceOf(options);
  const here = await findController(context, options);
  const { client, run, ended } = await whereLed(context, options, here, await findLiveRun(here, context, wanted, "stop"));
  const known = await readRun(client, run);
  let { state } = known;
  if (options.dryRun === true) {
    const plan = planStop(state, graceMs ?? state.spec.timeouts.stopGraceMs);
    if (context.json) context.printJson({ isDryRun: true, run, phase: state.phase, hosts: plan });
    else for (const line of stopPlanLines(plan)) context.print(line);
    return EXIT.ok;
  }
  if (!isOver(state)) {
    context.say(`stopping ${run}`);
    for (const line of deafLines(state, graceMs ?? state.spec.timeouts.stopGraceMs)) context.say(line);
    await client.ask({ ask: "stop", run, graceMs, by: whoAsks(), why: "nexadist stop" });
    for await (const item of client.stream({ ask: "watch", run, from: known.events, logs: false })) {
      if (item.kind === "notice") context.say(item.host === null ? sanitiseWord(item.text) : aboutHost(item.host, item.text));
      if (item.kind !== "event") continue;
      const before = state;
      state = reduce(state, item.event);
      for (const line of describeEvent(before, state, item.event)) context.say(line);
      if (isOver(state)) break;
    }
  } else {
    context.say(`${run} has ended already`);
    const owing = owingHosts(state).map(({ name }) => sanitiseWord(name));
    if (owing.length > 0) {
      context.say(`asking ${owing.join(", ")} again, ${ANSWER_MS / 1000} s at most`);
      await client.ask({ ask: "stop", run, graceMs, by: whoAsks(), why: "nexadist stop" });
      state = await awaitDebt(async () => (await readRun(client, run)).state, delay);
    }
  }
  await ended(state);
  if (context.json) {
    const receipts = Object.fromEntries(Object.values(state.hosts).map((h) => [h.name, h.receipt]));
    context.printJson({ run, phase: state.phase, receipts });
  } else for (const line of summaryLines(state)) context.print(line);
  return isAllGone(state) ? EXIT.ok : EXIT.unreachable;
};
