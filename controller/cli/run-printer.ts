/** Shows a run as it happens: one live line a host while it comes up on a terminal, plain lines everywhere else, JSON lines with --json. */

import { bellOf } from "../../cluster/notify/bell.ts";
import { isWanted, noticeOf } from "../../cluster/notify/notice.ts";
import type { RunEvent } from "../../cluster/run/events.ts";
import { isFirst, reduce, start } from "../../cluster/run/reduce.ts";
import { hostsOf, isOver, type RunState } from "../../cluster/run/state.ts";
import { sanitiseWord } from "../../cluster/sanitise.ts";
import { aboutHost, withoutHost } from "../../cluster/view/about-host.ts";
import { describeEvent } from "../../cluster/view/event-line.ts";
import { leaderLines } from "../../cluster/view/leader.ts";
import { formatLogLine } from "../../cluster/view/log-line.ts";
import { exitOf, liveLines, summaryLines } from "../../cluster/view/summary.ts";
import type { Item } from "../../cluster/viewer.ts";
import { clock } from "./clock.ts";
import type { Context } from "./context.ts";
import { isComingUp, liveHosts } from "./live-hosts.ts";
import type { Screen } from "./screen.ts";

export type RunPrinter = {
  readonly take: (item: Item) => void;
  readonly state: () => RunState | null;
  /** Index of the first event not seen yet. */
  readonly next: () => number;
  /** The summary; gives the exit status. `isLeft`: the viewer leaves a run that goes on. `words`: the last of what failed. */
  readonly finish: (run: string, isLeft: boolean, words: readonly string[]) => number;
};

export function createRunPrinter(context: Context, screen: Screen, known: { state: RunState; events: number } | null): RunPrinter {
  let state = known?.state ?? null;
  let next = known?.events ?? 0;
  const steps = new Map<string, string>();
  const said = new Map<string, Set<string>>();

  const say = (line: string): void => {
    if (!context.quiet) screen.err(line);
  };

  const redraw = (): void => {
    if (screen.hasLive && !context.quiet) screen.live(state === null ? [] : liveHosts(state, steps));
  };

  /** Off a terminal each kind of step is told once: bytes that count up and the tenth retry are no news. */
  const tell = (host: string, text: string): void => {
    const kind = text.replace(/[\d.]+/g, "#");
    const before = said.get(host) ?? new Set();
    if (screen.hasLive || before.has(kind)) return;
    said.set(host, before.add(kind));
    say(aboutHost(host, text));
  };

  const ring = (before: RunState, after: RunState, event: RunEvent): void => {
    const { notify } = after.spec;
    const notice = notify?.isBell === true ? noticeOf(before, after, event) : null;
    if (notice !== null && isWanted(notify?.on ?? [], notice)) screen.ring(bellOf(notice, context.env));
  };

  const onEvent = (index: number, event: RunEvent): void => {
    if (index < next) return; // told twice after a reconnect
    next = index + 1;
    const before = state;
    if (before === null && !isFirst(event)) return;
    state = before === null ? (isFirst(event) ? start(event) : null) : reduce(before, event);
    if (state === null || context.json) return;
    for (const line of describeEvent(before, state, event)) say(line);
    if (before !== null) ring(before, state, event);
    const host = "host" in event && typeof event.host === "string" ? state.hosts[event.host] : undefined;
    if (host !== undefined && isComingUp(state) && host.problem === null) {
      if (event.type === "host-prepared" || event.type === "host-connected") steps.delete(host.name);
      if (event.type === "host-connected") tell(host.name, event.driver === "local" ? "ready" : `ready (${event.driver}: ${event.why})`);
    }
    redraw();
  };

  const take = (item: Item): void => {
    if (context.json && item.kind !== "caught-up")
      context.printJson(item.kind === "event" ? { kind: "event", index: item.index, event: item.event } : { ...item });
    switch (item.kind) {
      case "event":
        return onEvent(item.index, item.event);
      case "line":
        if (!context.json) screen.out(formatLogLine(item.line, clock, context.hasColour));
        return;
      case "notice":
        if (context.json) return;
        if (item.host === null) return say(sanitiseWord(item.text));
        steps.set(item.host, withoutHost(item.host, item.text));
        tell(item.host, item.text);
        return redraw();
      case "output":
      case "caught-up":
        return;
    }
  };

  const finish: RunPrinter["finish"] = (run, isLeft, words) => {
    screen.live([]);
    const over = state !== null && isOver(state) ? state : null;
    const exit = exitOf(state, isLeft);
    if (context.json) {
      const receipts = over === null ? {} : Object.fromEntries(hostsOf(over).map((h) => [h.name, h.receipt]));
      context.printJson({ kind: "end", run, phase: state?.phase ?? null, isLeft, exit, failure: over?.failure ?? null, words, receipts });
    } else if (over === null && state !== null && state.fenced !== null) for (const line of leaderLines(state)) say(line);
    else if (over === null) for (const line of liveLines(run, state?.phase ?? "under way")) say(line);
    else for (const line of summaryLines(over, words)) screen.out(line);
    return exit;
  };

  return { take, state: () => state, next: () => next, finish };
}
