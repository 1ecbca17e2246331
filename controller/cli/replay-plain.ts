/** A recording as the lines that `up` would have printed: all at once, or as fast as `--speed` says. */

import { setTimeout as delay } from "node:timers/promises";
import type { Recording } from "../../cluster/recording/recording.ts";
import { makeTimeline } from "../../cluster/recording/timeline.ts";
import { isOver } from "../../cluster/run/state.ts";
import type { Item } from "../../cluster/viewer.ts";
import type { Context } from "./context.ts";
import { room } from "./room.ts";
import { createRunPrinter } from "./run-printer.ts";
import { createScreen } from "./screen.ts";

/** Nothing shorter is waited for. */
const LEAST_MS = 20;

/** `speed` null: without a pause. */
export async function playPlainly(context: Context, recording: Recording, speed: number | null): Promise<number> {
  const { head } = recording;
  context.say(`a recording of ${head.run}, made ${new Date(head.madeAt).toISOString()} by nexadist ${head.version}`);
  for (const what of head.cut) context.say(`  not in it: ${what}`);
  const printer = createRunPrinter(context, createScreen(process.stdout, process.stderr, false), null);
  const left = new AbortController();
  const leave = (): void => left.abort();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, leave);
  let before: number | null = null;
  for (const { at, item } of itemsOf(recording)) {
    const ms = speed === null || before === null ? 0 : (at - before) / speed;
    if (ms >= LEAST_MS) await delay(ms, undefined, { signal: left.signal }).catch(() => undefined);
    if (left.signal.aborted) return 0;
    if (ms >= LEAST_MS || before === null) before = at;
    printer.take(item);
    await room(left.signal);
  }
  const state = printer.state();
  if (state !== null && isOver(state)) printer.finish(head.run, false, []);
  else context.say(`the recording ends here; ${head.run} was ${state?.phase ?? "under way"}`);
  return 0;
}

function* itemsOf(recording: Recording): Generator<{ readonly at: number; readonly item: Item }> {
  const timeline = makeTimeline(recording);
  let next = 0;
  for (const [index, event] of recording.events.entries()) {
    const at = timeline.eventAt(index);
    for (let line = recording.lines[next]; line !== undefined && line.at < at; line = recording.lines[next]) {
      next += 1;
      if (line.stream !== "nccl") yield { at: line.at, item: { kind: "line", line } };
    }
    yield { at, item: { kind: "event", index, event } };
  }
  for (const line of recording.lines.slice(next)) if (line.stream !== "nccl") yield { at: line.at, item: { kind: "line", line } };
}
