/** What the schema cannot say of the keys of recovery: how they fit each other and the hosts. */

import { hostEntries } from "./entries.ts";
import { type Positions, problemIn } from "./located.ts";
import { nearest } from "./nearest.ts";
import type { ConfigProblem } from "./problem.ts";
import { detectionOf } from "./recovery.ts";
import type { ClusterFile } from "./schema.ts";

export function checkRecovery(file: ClusterFile, at: Positions): readonly ConfigProblem[] {
  return [...checkDetection(file, at), ...checkRestart(file, at), ...checkSeat(file, at)];
}

function checkDetection({ timeouts = {} }: ClusterFile, at: Positions): ConfigProblem[] {
  const { suspectMs, lostMs } = detectionOf(timeouts);
  if (lostMs >= suspectMs) return [];
  const own = timeouts.suspect === undefined ? ", its default" : "";
  return [problemIn(at, ["timeouts", "lost"], `shorter than timeouts.suspect (${suspectMs / 1000}s${own}): a host is unseen before it is lost`)];
}

function checkRestart({ spares = [], restart = {} }: ClusterFile, at: Positions): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (restart.on_host_loss === "spare" && spares.length === 0) {
    problems.push(
      problemIn(at, ["restart", "on_host_loss"], "there is no spare host to take", { hint: "name one under `spares: [{host: NAME}]`, or use wait or shrink" }),
    );
  }
  const both = (restart.retry_codes ?? []).findIndex((code) => restart.stop_codes?.includes(code));
  if (both >= 0) {
    problems.push(
      problemIn(at, ["restart", "retry_codes", both], `${restart.retry_codes?.[both]} is among stop_codes, too: it cannot both end the run and retry it`),
    );
  }
  return problems;
}

function checkSeat(file: ClusterFile, at: Positions): ConfigProblem[] {
  const seat = file.controller?.seat;
  const names = [...new Set(hostEntries(file).flatMap(({ host, address }) => [host, address]))];
  if (seat === undefined || names.length === 0 || names.includes(seat)) return [];
  const close = nearest(seat, names);
  const hint = close === null ? `name one of: ${names.slice(0, 8).join(", ")}` : `did you mean ${close}?`;
  return [problemIn(at, ["controller", "seat"], `${seat} is none of the hosts`, { hint })];
}
