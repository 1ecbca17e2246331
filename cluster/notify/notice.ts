/** What of a run's life is told to people who do not watch: which events, in which words. Pure. */

import type { RunEvent } from "../run/events.ts";
import { decide } from "../run/policy.ts";
import { isFirst, reduce, start } from "../run/reduce.ts";
import { isOver, type RunState } from "../run/state.ts";
import { sanitiseWord } from "../sanitise.ts";
import type { RunSpec } from "../spec.ts";
import { formatDuration } from "../view/duration.ts";
import { firstLine } from "../view/paragraph.ts";
import type { NoticeKind } from "./spec.ts";

export type Notice = {
  /** The same however often it is told. */
  readonly id: string;
  readonly kind: NoticeKind;
  /** ms since epoch. */
  readonly at: number;
  /** One sentence. */
  readonly text: string;
  readonly phase: RunState["phase"];
  readonly attempt: number;
  readonly host: string | null;
  readonly rank: number | null;
  /** Who takes part, in the order of their ranks. */
  readonly hosts: readonly string[];
  readonly world: number;
};

/** What the event means to them; null: nothing. What a person has just asked for is no news. */
export function noticeOf(before: RunState, after: RunState, event: RunEvent): Notice | null {
  if (before === after || event.type === "taken-over") return null;
  const make = (kind: NoticeKind, text: string, where: { readonly host: string | null; readonly rank: number | null } | null = null): Notice => ({
    id: `${after.spec.run}/${kind}/${event.at}`,
    kind,
    at: event.at,
    text: sanitiseWord(firstLine(`${after.spec.run} ${text}`)),
    phase: after.phase,
    attempt: after.attempt,
    host: where?.host ?? null,
    rank: where?.rank ?? null,
    hosts: after.members,
    world: after.world,
  });
  if (isOver(after) && !isOver(before)) {
    const took = formatDuration((after.endedAt ?? event.at) - after.requestedAt);
    if (after.phase === "failed") return make("failed", `failed after ${took}: ${after.failure?.text ?? "nothing says why"}`, after.failure);
    return make("ended", `${after.phase} after ${took}${after.phase === "stopped" && after.stop !== null ? `: ${after.stop.by} asked for it` : ""}`);
  }
  if (after.phase === "running" && before.phase !== "running" && after.attempt > 1) {
    const cause = after.past.at(-1)?.cause;
    if (cause === undefined || cause.kind === "asked") return null;
    const from = after.checkpoint === null ? "from the beginning" : `from step ${after.checkpoint.step}`;
    return make("recovered", `trains again ${from}, attempt ${after.attempt} on ${after.members.join(", ")}; before: ${cause.text}`, cause);
  }
  if (event.type === "hang-found" && after.hang !== null) return make("hang", `does not move any more: ${after.hang.text}`, after.hang);
  if (event.type === "attempt-diagnosed" && after.phase === "recovering") {
    const decision = decide(after);
    const isStuck = decision.go === "wait" && after.members.some((name) => after.hosts[name]?.lost != null);
    if (isStuck) return make("failed", `stands still: ${event.cause.text}; ${decision.text}`, event.cause);
  }
  return null;
}

/** Of a whole journal, the oldest first. */
export function noticesOf(events: readonly RunEvent[]): readonly Notice[] {
  const [first, ...rest] = events;
  if (first === undefined || !isFirst(first)) return [];
  let state = start(first);
  return rest.flatMap((event) => {
    const before = state;
    state = reduce(before, event);
    return noticeOf(before, state, event) ?? [];
  });
}

/** How a run ended is told once: a failure is an end, too. */
export const isWanted = (on: readonly NoticeKind[], { kind, phase }: Notice): boolean => on.includes(kind) || (phase === "failed" && on.includes("ended"));

/** The JSON that webhooks and commands are given; `text` and `content` are what Slack, Mattermost and Discord show. */
export function noticeBody(spec: RunSpec, notice: Notice): Record<string, unknown> {
  const { id, kind, at, text, phase, attempt, host, rank, hosts, world } = notice;
  return {
    schema: 1,
    id,
    event: kind,
    at: new Date(at).toISOString(),
    run: spec.run,
    name: spec.name,
    phase,
    attempt,
    host,
    rank,
    hosts,
    world_size: world,
    tags: spec.tags,
    text,
    content: text,
  };
}
