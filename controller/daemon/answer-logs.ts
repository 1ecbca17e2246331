/** Answers `logs`: what is stored, and what comes when it is followed. */

import { join } from "node:path";
import type { Request } from "../../cluster/viewer.ts";
import { runDir } from "../paths.ts";
import { endOfUndriven } from "./answer-watch.ts";
import { type Asked, tellAndWait } from "./asked.ts";
import { followRun } from "./follow-run.ts";
import { type LogView, openLogView } from "./log-query.ts";
import type { Runs } from "./runs.ts";

export async function answerLogs(runs: Runs, request: Request & { ask: "logs" }, asked: Asked): Promise<null> {
  const { state } = runs.find(request.run);
  const { want } = request;
  const live = runs.live.get(request.run);
  const open = (isOpenEnded: boolean): LogView => openLogView(join(runDir(request.run), "logs"), want, state.attempt, isOpenEnded);
  if (want.follow && live !== undefined) {
    await followRun(live, () => open(true), asked, { next: () => undefined, notice: () => undefined });
    return null;
  }
  const isOpenEnded = want.wholeLines === true && live !== undefined;
  for await (const line of open(isOpenEnded).backlog()) if (!(await tellAndWait(asked, { kind: "line", line }))) return null;
  return want.follow ? endOfUndriven(runs, request.run) : null;
}
