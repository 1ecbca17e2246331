/** Answers `logs`: what is stored, and what comes when it is followed. */

import { join } from "node:path";
import type { LogPage, Request } from "../../cluster/viewer.ts";
import { runDir } from "../paths.ts";
import { endOfUndriven } from "./answer-watch.ts";
import { type Asked, tellAndWait } from "./asked.ts";
import { followRun } from "./follow-run.ts";
import { readPage } from "./log-page.ts";
import { type LogView, openLogView } from "./log-query.ts";
import { lastWritten } from "./log-sources.ts";
import type { Runs } from "./runs.ts";

export async function answerLogs(runs: Runs, request: Request & { ask: "logs" }, asked: Asked): Promise<LogPage | null> {
  const { state } = runs.find(request.run);
  const { want } = request;
  const live = runs.live.get(request.run);
  const { page } = want;
  if (page !== undefined) return readPage(join(runDir(request.run), "logs"), { ...want, page, attempt: want.attempt ?? state.attempt }, live === undefined);
  const dir = join(runDir(request.run), "logs");
  const shown = want.attempt === null && !want.follow && want.wholeLines !== true ? lastWritten(dir, want, state.attempt) : state.attempt;
  if (shown !== state.attempt) {
    const text = `attempt ${state.attempt} has written nothing of what is asked for; these lines are of attempt ${shown}`;
    if (!(await tellAndWait(asked, { kind: "notice", host: null, text }))) return null;
  }
  const open = (isOpenEnded: boolean): LogView => openLogView(dir, want, shown, isOpenEnded);
  if (want.follow && live !== undefined) {
    await followRun(live, () => open(true), asked, { next: () => undefined, notice: () => undefined });
    return null;
  }
  const isOpenEnded = want.wholeLines === true && live !== undefined;
  for await (const line of open(isOpenEnded).backlog()) if (!(await tellAndWait(asked, { kind: "line", line }))) return null;
  return want.follow ? endOfUndriven(runs, request.run) : null;
}
