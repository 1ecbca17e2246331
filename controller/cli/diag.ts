/** `diag`: can these hosts train together, and if not, why and which command mends it. Leaves nothing on them. */

import type { Baseline } from "../../cluster/diag/baseline.ts";
import { changeLines } from "../../cluster/diag/baseline.ts";
import type { Tier } from "../../cluster/diag/check.ts";
import { fail } from "../../cluster/errors.ts";
import { type Diagnosis, runDiag, unknownWords } from "../diag/run-diag.ts";
import type { Options, Run } from "./commands.ts";
import { type Context, JSON_SCHEMA } from "./context.ts";
import { findOrStartDaemon } from "./daemon-start.ts";
import { changesIn, readBaseline, saveBaseline } from "./diag-baseline.ts";
import { writeBundle } from "./diag-bundle.ts";
import { mendAll } from "./diag-mend.ts";
import { diagnosisJson, diagnosisLines, exitOf, resultJson } from "./diag-tell.ts";
import { watchDiag } from "./diag-watch.ts";
import { type Loaded, loadRun } from "./load-cluster.ts";
import { reachHost } from "./reach-host.ts";
import { lentOf } from "./takeover.ts";
import { runTrial } from "./trial-run.ts";

/** A host that is off must not make the others wait: the quick tier is to end within 20 s. */
const CONNECT_MS = 10_000;

const listOf = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.flatMap((each) => (typeof each === "string" ? each.toLowerCase().split(",") : [])) : [];
const wordOf = (value: unknown): string | null => (typeof value === "string" ? value : null);

export const diag: Run = async (context, [file], options) => {
  const loaded = loadRun(context, file, options, new Date(), { mayLackJob: true });
  const wrong = unknownWords([...listOf(options.only), ...listOf(options.skip)]);
  if (wrong.length > 0) throw fail("USAGE", { what: `${wrong.join(", ")}: no check or group is named so`, fix: "nexadist explain --list shows the checks" });
  const before = wordOf(options.baseline) === null ? null : readBaseline(context, String(options.baseline));
  const once = (): Promise<Diagnosis> => diagnose(context, options, loaded);
  if (options.watch === true) return watchDiag(context, options, once);
  let found = await once();
  tell(context, options, found, before);
  if (options.fix === true && (await mendAll(context, options, found)) > 0) {
    found = await once();
    tell(context, options, found, before);
  }
  const save = wordOf(options.saveBaseline);
  if (save !== null) saveBaseline(context, save, found);
  const bundle = wordOf(options.bundle);
  if (bundle !== null) writeBundle(context, bundle, found, loaded.secrets);
  return exitOf(found, options.strict === true);
};

function diagnose(context: Context, options: Options, { spec }: Loaded): Promise<Diagnosis> {
  const tier: Tier = options.deep === true ? "deep" : options.full === true ? "full" : "quick";
  return runDiag(
    spec,
    { tier, only: listOf(options.only), skip: listOf(options.skip) },
    {
      reach: (host) => reachHost(host, context, options, Math.min(CONNECT_MS, context.connectMs)),
      now: Date.now,
      say: context.say,
      onResult: (result, check) => {
        if (options.jsonl === true)
          process.stdout.write(`${JSON.stringify({ schema: JSON_SCHEMA, ...resultJson(new Map([[check.id, check]]), result, spec) })}\n`);
      },
      runTrial: async (trial) => runTrial(await findOrStartDaemon(), trial, lentOf(context, options)),
    },
  );
}

function tell(context: Context, options: Options, found: Diagnosis, before: Baseline | null): void {
  const changes = before === null ? null : changesIn(before, found);
  if (options.jsonl === true) {
    const { results: _, matrix: __, ...verdict } = diagnosisJson(found) as Record<string, unknown>;
    return void process.stdout.write(`${JSON.stringify({ schema: JSON_SCHEMA, verdict, ...(changes === null ? {} : { changes }) })}\n`);
  }
  if (context.json) return context.printJson({ ...diagnosisJson(found), ...(changes === null ? {} : { changes }) });
  for (const line of diagnosisLines(found, context.verbose)) context.print(line);
  if (changes !== null) for (const line of ["", ...changeLines(changes, before?.at ?? "")]) context.print(line);
}
