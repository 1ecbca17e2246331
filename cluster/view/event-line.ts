/** What an event means to somebody who watches: zero or more lines. `before` is null for the first event. */

import { REPLACED, TAKEN_OVER } from "../protocol.ts";
import type { RunEvent } from "../run/events.ts";
import { decide } from "../run/policy.ts";
import { blockersOf, findingWords } from "../run/preflight.ts";
import { describeExit } from "../run/reduce.ts";
import type { RunState } from "../run/state.ts";
import { graceOf } from "../run/wanted.ts";
import { sanitiseWord } from "../sanitise.ts";
import { aboutHost, withoutHost } from "./about-host.ts";
import { actLine } from "./act-line.ts";
import { hasStarted } from "./begun.ts";
import { formatDuration } from "./duration.ts";
import { formatGap } from "./gap.ts";
import { witnessWords } from "./host-why.ts";
import { controllerWords } from "./leader.ts";
import { firstLine, furtherLines, headline } from "./paragraph.ts";
import { budgetWords } from "./standing.ts";
import { LOG_IN, NEEDS_AUTH } from "./unseen.ts";

const plural = (n: number, word: string): string => `${n} ${word}${n === 1 ? "" : "s"}`;

export function describeEvent(before: RunState | null, after: RunState, event: RunEvent): readonly string[] {
  if (event.type === "acted" && before === after) return []; // another event came first
  const lines = [...(isOld(before, after, event) ? ofOld(event) : ofEvent(after, event))];
  if (before?.phase !== after.phase) lines.push(...ofPhase(after));
  return lines.map(sanitiseWord);
}

/** Of an attempt that is over, or told before: hosts that come back and takeovers tell all of it again. */
function isOld(before: RunState | null, after: RunState, event: RunEvent): boolean {
  if (!("attempt" in event) || event.type === "attempt-begun") return false;
  if (event.attempt !== after.attempt) return true;
  return event.type === "rank-exited" && before !== null && (before.ranks[event.rank]?.exit ?? null) !== null;
}

const ofOld = (event: RunEvent): readonly string[] =>
  event.type === "host-ended" ? [`${event.host}: what was left there of attempt ${event.attempt} has ended`] : [];

function ofPhase(state: RunState): readonly string[] {
  switch (state.phase) {
    case "connecting":
      return [`==> ${state.spec.run}: connecting to ${plural(state.spec.hosts.length, "host")}`];
    case "preparing":
      return ["==> preparing"];
    case "arming":
      return [];
    case "launching":
      return [`==> launching (attempt ${state.attempt}, ${plural(state.world, "rank")}, ${state.spec.launcher})`];
    case "running":
      return [`==> running (attempt ${state.attempt}, ${plural(state.world, "rank")})`];
    case "stopping":
      return [
        `==> stopping: ${headline(state.failure?.text ?? state.trouble?.text ?? "") || (state.stop === null ? "" : `asked by ${state.stop.by}`)}${graceWords(state)}`,
      ];
    case "recovering":
      return [state.trouble?.kind === "asked" ? "==> all stopped" : "==> all stopped; finding out why"];
    case "draining":
      return [];
    case "succeeded":
    case "failed":
    case "stopped":
      return [];
  }
}

/** Where a person would otherwise wait for they know not what. */
function graceWords(state: RunState): string {
  const graceS = Math.round(graceOf(state) / 1000);
  return graceS > 5 && hasStarted(state) ? ` (ranks have ${graceS} s to end)` : "";
}

function ofEvent(state: RunState, event: RunEvent): readonly string[] {
  switch (event.type) {
    case "host-refused":
      return [`${event.host}: not reached: ${withoutHost(event.host, event.problem.message)}`];
    case "host-failed":
      return ofFailed(state, event);
    case "host-rebooted":
      return [`${event.host}: it was started again; what ran there is gone`];
    case "host-unseen":
      if (event.why === REPLACED || event.why === TAKEN_OVER) return [`${event.host}: ${event.why}; training goes on`];
      return ofUnseen(state, event);
    case "host-witnessed":
      return ofWitness(state, event.host);
    case "host-lost":
      return [`${event.host}: lost: ${event.why}`];
    case "attempt-diagnosed":
      return ofDiagnosis(state, event);
    case "attempt-begun":
      return event.attempt === 1 ? [] : ofAnother(event);
    case "preflight-done":
      return ofPreflight(state, event);
    case "gpus-claimed":
      return Object.entries(event.claims).flatMap(([host, { notes }]) => notes.map((note) => `${host}: ${note}`));
    case "gpus-busy":
      return ["==> waiting for GPUs", ...Object.entries(event.busy).map(([host, who]) => `    ${host}: ${who}`)];
    case "hang-found":
      return [`==> nothing moves any more: ${event.verdict.text}`, ...event.verdict.evidence.map((line) => `    ${line}`)];
    case "hang-over":
      return ["==> it moves again"];
    case "finding":
      return ofFinding(event);
    case "host-seen":
      return state.phase === "connecting" ? [] : [`${event.host}: its agent answers again`];
    case "host-prepared":
      return event.notes.map((note) => aboutHost(event.host, note));
    case "rank-exited":
      return event.code === 0 ? [] : [`${event.host} r${event.rank}: ${describeExit(event)}`];
    case "launcher-exited":
      return event.code === 0 || event.code === null ? [] : [`${event.host}: ${state.spec.launcher} ${describeExit(event)}`];
    case "log-gap":
      return [`${event.host} ${event.stream}: ${formatGap(event)}`];
    case "stop-requested":
      return [`${event.by} asked to stop${event.why === "" ? "" : ` (${event.why})`}`];
    case "acted":
      return [actLine(event)];
    case "controller-started":
      return state.phase === "connecting" && event.at - state.requestedAt < 1000 ? [] : ["the controller was started again and goes on"];
    case "taken-over":
      return [
        event.mended === undefined
          ? `${event.by} took it over from ${controllerWords(event.from)}; what runs goes on`
          : `${event.mended}; going on from what the hosts have on record`,
        ...(state.takeover?.isWon === true ? [] : ["waiting for a majority of the hosts: nothing is started before"]),
      ];
    case "fenced":
      return [`==> ${controllerWords(event)} has taken ${state.spec.run} over; this one does nothing more for it`];
    case "controller-woke":
      return [`the controller stood still for ${Math.round(event.sleptMs / 1000)} s (a sleeping machine?); nothing was decided meanwhile`];
    case "code-taken":
      return [
        `code: ${event.files} files, ${(event.bytes / 1e6).toFixed(1)} MB${state.spec.code.kind === "snapshot" ? ` of ${state.spec.code.root}` : ""}`,
        ...event.notes.map((note) => `code: ${note}`),
      ];
    case "timer":
      return event.key === "drain" && state.logsIncomplete.length > 0 ? [`the last log lines of ${state.logsIncomplete.join(", ")} may be missing`] : [];
    default:
      return [];
  }
}

/** A host whose ranks went elsewhere was told of when it was lost. */
function ofUnseen({ hosts, members }: RunState, { host, kind, ...event }: RunEvent & { type: "host-unseen" }): readonly string[] {
  const why = withoutHost(host, event.why);
  const isLost = hosts[host] !== undefined && hosts[host].lost !== null;
  if (isLost) return members.includes(host) ? [`${host}: is lost; still no word from its agent (${why})`] : [];
  if (kind === "auth")
    return [
      `${host}: ${NEEDS_AUTH}: it refuses our credentials: ${LOG_IN}, and it is heard again by itself; its ranks are not touched (${withoutHost(host, why)})`,
    ];
  // What the others saw of it is known then, and does not change by another way in which it is not heard.
  if (hosts[host]?.witness != null) return [`${host}: still no word from its agent (${why})`];
  return [`${host}: no word from its agent (${why})${members.some((name) => name !== host) ? "; the other hosts are asked about it" : ""}`];
}

function ofWitness(state: RunState, name: string): readonly string[] {
  const host = state.hosts[name];
  const words = host === undefined || host.lost !== null ? "" : witnessWords(state, host);
  return words === "" ? [] : [`${name}: ${words}`];
}

function ofFinding({ finding: { code, text, since, until } }: RunEvent & { type: "finding" }): readonly string[] {
  return until === null ? [`! ${text} (nexadist explain ${code})`] : [`  over after ${formatDuration(until - since)}: ${text}`];
}

function ofDiagnosis(state: RunState, { attempt, cause, at }: RunEvent & { type: "attempt-diagnosed" }): readonly string[] {
  const why = [`==> attempt ${attempt} ${cause.kind === "asked" ? "was ended" : "failed"}: ${cause.text}`, ...cause.evidence.map((line) => `    ${line}`)];
  if (state.phase !== "recovering") return state.spec.restart.max === 0 ? [...why, "    restart.max is 0: no other attempt"] : why; // the run's end says the rest
  const decision = decide(state);
  const waitS = Math.max(0, (state.recoverAt ?? at) - at) / 1000;
  const next =
    decision.go === "wait"
      ? `==> ${decision.text}`
      : `==> attempt ${attempt + 1}${waitS < 1 ? " begins" : ` begins in ${Math.round(waitS)} s`} (${budgetWords(state)})`;
  return [...why, ...(cause.code === null ? [] : [`    more: nexadist explain ${cause.code}`]), next];
}

function ofPreflight({ spec }: RunState, { findings }: RunEvent & { type: "preflight-done" }): readonly string[] {
  const blockers = blockersOf(findings);
  const others = findings.filter((one) => !blockers.includes(one));
  const shown = [...new Set(others.map(findingWords))];
  const more = shown.length > 3 ? `; and ${shown.length - 3} more` : "";
  return [
    ...blockers.map((one) => `diag: ${spec.isForced === true ? "goes on in spite of" : "it cannot start like this:"} ${findingWords(one)}`),
    ...(shown.length === 0 ? [] : [`diag: ${plural(others.length, "remark")} (${shown.slice(0, 3).join("; ")}${more}): nexadist diag ${spec.file ?? "FILE"}`]),
  ];
}

const COULD_NOT = {
  prepare: "could not be prepared",
  claim: "its GPUs cannot be had",
  arm: "cannot be made ready to start",
  launch: "could not start its ranks",
};

function ofFailed({ members, spec }: RunState, { host, during, problem }: RunEvent & { type: "host-failed" }): readonly string[] {
  const isLeftOut = !members.includes(host) && members.length >= spec.minHosts;
  const [what, ...more] = [withoutHost(host, firstLine(problem.message)), ...furtherLines(problem.message)];
  return [`${host}: ${COULD_NOT[during]}: ${what}`, ...more, ...(isLeftOut ? [`==> going on without ${host}: min_hosts is ${spec.minHosts}`] : [])];
}

function ofAnother({ attempt, members, checkpoint, notes = [] }: RunEvent & { type: "attempt-begun" }): readonly string[] {
  const from = checkpoint === null ? "no complete checkpoint is known: it begins anew" : `goes on from step ${checkpoint.step} (${checkpoint.path})`;
  return [...notes.map((note) => `    ${note}`), `==> attempt ${attempt} on ${members.join(", ")}; ${from}`];
}
