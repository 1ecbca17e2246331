/** Keeps a diagnosis as a baseline in a file, and tells what changed since one was kept. */

import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { type Baseline, baselineSchema, type Change, changesSince, takeBaseline } from "../../cluster/diag/baseline.ts";
import { verdictOf } from "../../cluster/diag/report.ts";
import { fail } from "../../cluster/errors.ts";
import type { Diagnosis } from "../diag/run-diag.ts";
import type { Context } from "./context.ts";
import { whyNot } from "./why-not.ts";

export const baselineOf = ({ looks, results, at }: Diagnosis): Baseline => takeBaseline(looks, results, new Date(at).toISOString());

/** What is not well now is nothing to compare with later: then nothing is kept, and it is said. */
export function saveBaseline(context: Context, name: string, found: Diagnosis): void {
  if (!verdictOf(found.checks, found.results).isReady)
    return context.say(`${name} is not written: a baseline is of hosts that are READY; mend what is above first`);
  const path = resolve(context.cwd, name);
  try {
    writeFileSync(path, `${JSON.stringify(baselineOf(found))}\n`, { mode: 0o600 });
  } catch (error) {
    throw fail("STATE_WRITE", { path, why: whyNot(error) }, error);
  }
  context.say(`kept as ${name}; later: nexadist diag --baseline ${name}`);
}

/** Before anything is looked at, so that a wrong name costs nothing. Errors: USAGE. */
export function readBaseline(context: Context, name: string): Baseline {
  const wrong = (what: string): Error => fail("USAGE", { what: `${name}: ${what}`, fix: `make one while all is well: nexadist diag --save-baseline ${name}` });
  let text: string;
  try {
    text = readFileSync(resolve(context.cwd, name), "utf8");
  } catch (error) {
    throw wrong(whyNot(error));
  }
  try {
    return baselineSchema.parse(JSON.parse(text));
  } catch {
    throw wrong("that is no baseline");
  }
}

export const changesIn = (before: Baseline, found: Diagnosis): readonly Change[] => changesSince(before, baselineOf(found));
