/** After a run has failed: the quick checks once more, so that a host at fault is named beside what the program said. */

import { reportLines, verdictOf } from "../../cluster/diag/report.ts";
import type { RunSpec } from "../../cluster/spec.ts";
import { type DiagWish, runDiag } from "../diag/run-diag.ts";
import type { Options } from "./commands.ts";
import type { Context } from "./context.ts";
import { reachHost } from "./reach-host.ts";

const CONNECT_MS = 10_000;
/** Load and memory are those of the run that just ended; a real all-reduce is for `diag` on demand. */
const WISH: DiagWish = { tier: "quick", only: [], skip: ["distributed", "sys.load", "sys.memory", "sys.swap"] };

/** Tells only what fails. Whatever goes wrong here changes nothing of how the run ended. */
export async function lookAfter(context: Context, options: Options, spec: RunSpec): Promise<void> {
  try {
    const { checks, results, tookMs } = await runDiag(spec, WISH, {
      reach: (host) => reachHost(host, { ...context, say: () => undefined }, options, Math.min(CONNECT_MS, context.connectMs)),
      now: Date.now,
      say: () => undefined,
      onResult: () => undefined,
    });
    const bad = results.filter(({ status }) => status === "fail");
    const { counts } = verdictOf(checks, results);
    const rest = counts.warn + counts.error;
    if (bad.length === 0)
      return context.say(
        `the hosts look well (nexadist diag${rest === 0 ? "" : `: ${rest} lesser finding${rest === 1 ? "" : "s"}`}): look at what the program said`,
      );
    for (const line of reportLines(checks, bad, { place: spec, seconds: tookMs / 1000, isVerbose: false })) context.say(line);
  } catch (error) {
    if (context.verbose) context.say(`the hosts could not be looked at after the failure: ${error instanceof Error ? error.message : String(error)}`);
  }
}
