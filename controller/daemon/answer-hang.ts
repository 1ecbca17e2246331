/** Looks at all ranks of a run twice, so that what moves can be told from what stands still. */

import { fail } from "../../cluster/errors.ts";
import type { TwoLooks } from "../../cluster/viewer.ts";
import type { Runs } from "./runs.ts";

const BETWEEN_MS = 2000;

/** Errors: NO_RUN, NO_RANKS. */
export async function answerHang(runs: Runs, run: string, cancelled: AbortSignal): Promise<TwoLooks> {
  const { state } = runs.find(run);
  if (state.phase !== "running") throw fail("NO_RANKS", { run, phase: state.phase });
  const { driver } = runs.get(run);
  const first = await driver.look();
  await new Promise((resolve) => setTimeout(resolve, cancelled.aborted ? 0 : BETWEEN_MS));
  return { attempt: state.attempt, first, second: await driver.look() };
}
