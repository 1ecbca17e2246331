/** `logs`: stored and new log lines of a run, chosen by host, rank, stream, attempt and age there, by pattern here: a pattern can take for ever. */

import { expandRange, splitOutsideBrackets } from "../../cluster/config/host-range.ts";
import { EXIT, fail } from "../../cluster/errors.ts";
import { sanitiseWord } from "../../cluster/sanitise.ts";
import { formatLogLine } from "../../cluster/view/log-line.ts";
import type { LogLine, LogQuery, LogStream } from "../../cluster/viewer.ts";
import { checkLogQuery } from "./check-log-query.ts";
import type { Client } from "./client.ts";
import { clock } from "./clock.ts";
import type { Options, Run } from "./commands.ts";
import { type Context, JSON_SCHEMA } from "./context.ts";
import { readRun } from "./known-run.ts";
import { lookAtRun } from "./open-run.ts";
import { parseRanks } from "./rank-list.ts";
import { room } from "./room.ts";
import { sinceWhen } from "./since.ts";

/** More last lines than this are kept here rather than in the controller. */
const LAST_THERE = 10_000;
const STREAMS: readonly LogStream[] = ["out", "err", "nccl", "launcher"];
const wrong = (what: string, fix: string): Error => fail("USAGE", { what, fix });

function wholeNumber(value: unknown, flag: string): number | null {
  if (value === undefined) return null;
  const n = Number(value);
  if (!Number.isInteger(n) || n < 0) throw wrong(`${flag} takes a whole number, not ${String(value)}`, `nexadist logs ${flag} 1`);
  return n;
}

/** `want` is for the controller; `pattern` and `last` (of what matches; null: all) for this end. */
export type LogsAsked = { readonly want: LogQuery; readonly pattern: RegExp | null; readonly last: number | null };

export function queryOf(options: Options, now: number): LogsAsked {
  const streams = (options.stream as readonly string[] | undefined)?.flatMap((s) => s.split(","));
  const unknown = streams?.find((s) => !(STREAMS as readonly string[]).includes(s));
  if (unknown !== undefined) throw wrong(`there is no stream ${unknown}`, `--stream ${STREAMS.join(", ")}`);
  const { since, grep } = options;
  const from = typeof since === "string" ? sinceWhen(since, now) : null;
  if (typeof since === "string" && from === null)
    throw wrong(`--since takes a length or a time of day, not ${since}`, "nexadist logs --since 10m   or   --since 09:30");
  const pattern = typeof grep === "string" ? patternOf(grep) : null;
  const ranks = typeof options.rank === "string" ? parseRanks(options.rank) : null;
  if (ranks === undefined) throw wrong(`--rank takes ranks such as 0,3-5 or all, not ${String(options.rank)}`, "nexadist logs --rank 0,3-5");
  const hosts = (options.host as readonly string[] | undefined)?.flatMap(splitOutsideBrackets).flatMap((text) => {
    const expanded = expandRange(text);
    if (!expanded.ok) throw wrong(`--host ${text}: ${expanded.why}`, "nexadist logs --host gpu[1-4]");
    return expanded.names;
  });
  const attempt = wholeNumber(options.attempt, "--attempt");
  if (attempt === 0) throw wrong("attempts are counted from 1", "nexadist logs --attempt 1");
  const last = wholeNumber(options.lines, "-n");
  const isTailHere = last !== null && (pattern !== null || last > LAST_THERE);
  const want = {
    hosts: hosts ?? null,
    ranks,
    streams: (streams as readonly LogStream[] | undefined) ?? ["out", "err", "launcher"],
    attempt,
    since: from,
    last: isTailHere ? null : last,
    follow: options.follow === true,
  };
  return { want, pattern, last: isTailHere ? last : null };
}

function patternOf(pattern: string): RegExp {
  try {
    return new RegExp(pattern, "u");
  } catch (error) {
    throw wrong(`--grep: ${error instanceof Error ? error.message : String(error)}`, "escape it, or quote it for the shell");
  }
}

export const logs: Run = async (context, [wanted], options) => {
  const { want, pattern, last } = queryOf(options, Date.now());
  const { client, run } = await lookAtRun(context, options, wanted);
  if (want.hosts !== null || want.ranks !== null || want.attempt !== null) checkLogQuery(want, (await readRun(client, run)).state);
  const left = new AbortController();
  const leave = (): void => {
    left.abort();
    client.close();
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, leave);
  let hasPrinted = false;
  // A progress bar's earlier states are noise to an eye, and what a search or a file is for.
  const isWhole = process.stdout.isTTY !== true || pattern !== null;
  const print = async (line: LogLine): Promise<void> => {
    hasPrinted = true;
    const text = context.json ? JSON.stringify({ schema: JSON_SCHEMA, kind: "line", line }) : formatLogLine(line, clock, context.hasColour, isWhole);
    process.stdout.write(`${text}\n`);
    await room(left.signal);
  };
  let tail: LogLine[] | null = last === null ? null : [];
  const printTail = async (): Promise<void> => {
    const lines = last === null || last === 0 ? [] : (tail ?? []).slice(-last);
    tail = null;
    for (const line of lines) await print(line);
  };
  try {
    for await (const item of client.stream({ ask: "logs", run, want })) {
      if (item.kind === "notice") context.say(item.text);
      else if (item.kind === "caught-up") await printTail();
      if (item.kind !== "line" || (pattern !== null && item.line.gap === undefined && !pattern.test(item.line.text))) continue;
      if (tail === null) await print(item.line);
      else if (tail.push(item.line) > 2 * (last ?? 0) + 1000) tail = last === 0 ? [] : tail.slice(-(last ?? 0));
    }
    await printTail();
    if (!hasPrinted && !context.json) await tellWhyNone(context, client, run);
  } catch (error) {
    if (!left.signal.aborted) throw error;
  }
  return EXIT.ok;
};

/** A run without a process has no lines to show. */
async function tellWhyNone(context: Context, client: Client, run: string): Promise<void> {
  const { state } = await readRun(client, run);
  if (state.attempt > 0 || Object.keys(state.ranks).length > 0) return;
  context.say(`${run} never launched anything${state.failure === null ? "" : `: ${sanitiseWord(state.failure.text)}`}`);
  context.say(`  try: nexadist status ${run}`);
}
