/** `diag --watch`: the whole diagnosis once, then what changes, until it is interrupted. */

import { setTimeout as delay } from "node:timers/promises";
import { changeLines, changesSince } from "../../cluster/diag/baseline.ts";
import { verdictLine } from "../../cluster/diag/report.ts";
import type { Diagnosis } from "../diag/run-diag.ts";
import type { Options } from "./commands.ts";
import type { Context } from "./context.ts";
import { baselineOf } from "./diag-baseline.ts";
import { diagnosisJson, diagnosisLines, exitOf } from "./diag-tell.ts";

/** Between the end of one look and the next: a look costs every host a Python and a second. */
const PAUSE_MS = 10_000;

export async function watchDiag(context: Context, options: Options, once: () => Promise<Diagnosis>): Promise<number> {
  const stop = new AbortController();
  const end = (): void => stop.abort();
  process.on("SIGINT", end).on("SIGTERM", end);
  let found: Diagnosis | null = null;
  try {
    while (!stop.signal.aborted) {
      const now = await once();
      if (!stop.signal.aborted) tell(context, found, now);
      found = now;
      await delay(PAUSE_MS, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  } finally {
    process.off("SIGINT", end).off("SIGTERM", end);
  }
  return found === null ? 0 : exitOf(found, options.strict === true);
}

function tell(context: Context, before: Diagnosis | null, now: Diagnosis): void {
  if (context.json) return context.printJson(diagnosisJson(now));
  if (before === null) {
    for (const line of diagnosisLines(now, context.verbose)) context.print(line);
    context.say("looking again every 10 s; Ctrl-C ends it");
    return;
  }
  const changes = changesSince(baselineOf(before), baselineOf(now));
  if (changes.length === 0) return;
  const at = new Date(now.at).toTimeString().slice(0, 8);
  context.print(`${at} ${verdictLine(now.checks, now.results, now.spec.hosts.length, now.tookMs / 1000)}`);
  for (const line of changeLines(changes, "the last look").slice(1)) context.print(line);
}
