/** `logs`: stored and new log lines of a run, chosen by host, rank, stream, attempt, age and pattern. */

import { expandRange } from "../../cluster/config/host-range.ts";
import { durationMs } from "../../cluster/config/units.ts";
import { EXIT, fail } from "../../cluster/errors.ts";
import { formatLogLine } from "../../cluster/view/log-line.ts";
import type { LogQuery, LogStream } from "../../cluster/viewer.ts";
import { clock } from "./clock.ts";
import type { Options, Run } from "./commands.ts";
import { findOrStartDaemon } from "./daemon-start.ts";
import { findRun } from "./known-run.ts";
import { parseRanks } from "./rank-list.ts";

const STREAMS: readonly LogStream[] = ["out", "err", "nccl", "launcher"];
const wrong = (what: string, fix: string): Error => fail("USAGE", { what, fix });

function wholeNumber(value: unknown, flag: string): number | null {
  if (value === undefined) return null;
  const n = Number(value);
  if (!Number.isInteger(n) || n < 0) throw wrong(`${flag} takes a whole number, not ${String(value)}`, `nexadist logs ${flag} 1`);
  return n;
}

export function queryOf(options: Options, now: number): LogQuery {
  const streams = (options.stream as readonly string[] | undefined)?.flatMap((s) => s.split(","));
  const unknown = streams?.find((s) => !(STREAMS as readonly string[]).includes(s));
  if (unknown !== undefined) throw wrong(`there is no stream ${unknown}`, `--stream ${STREAMS.join(", ")}`);
  const { since, grep } = options;
  const ageMs = typeof since === "string" ? (durationMs(since) ?? (/^\d+$/.test(since) ? Number(since) * 1000 : null)) : undefined;
  if (ageMs === null) throw wrong(`--since takes a length of time, not ${String(since)}`, "nexadist logs --since 10m");
  if (typeof grep === "string") checkPattern(grep);
  const ranks = typeof options.rank === "string" ? parseRanks(options.rank) : null;
  if (ranks === undefined) throw wrong(`--rank takes ranks such as 0,3-5 or all, not ${String(options.rank)}`, "nexadist logs --rank 0,3-5");
  const hosts = (options.host as readonly string[] | undefined)?.flatMap((text) => {
    const expanded = expandRange(text);
    return expanded.ok ? expanded.names : [text];
  });
  return {
    hosts: hosts ?? null,
    ranks,
    streams: (streams as readonly LogStream[] | undefined) ?? ["out", "err", "launcher"],
    attempt: wholeNumber(options.attempt, "--attempt"),
    since: ageMs === undefined ? null : now - ageMs,
    last: wholeNumber(options.lines, "-n"),
    follow: options.follow === true,
    grep: typeof grep === "string" ? grep : null,
  };
}

function checkPattern(pattern: string): void {
  try {
    new RegExp(pattern, "u");
  } catch (error) {
    throw wrong(`--grep: ${error instanceof Error ? error.message : String(error)}`, "escape it, or quote it for the shell");
  }
}

export const logs: Run = async (context, [wanted], options) => {
  const want = queryOf(options, Date.now());
  const client = await findOrStartDaemon();
  const { run } = await findRun(client, context, wanted);
  let isLeft = false;
  const leave = (): void => {
    isLeft = true;
    client.close();
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, leave);
  try {
    for await (const item of client.stream({ ask: "logs", run, want })) {
      if (item.kind === "notice") context.say(item.text);
      if (item.kind !== "line") continue;
      if (context.json) context.printJson({ kind: "line", line: item.line });
      else if (!process.stdout.write(`${formatLogLine(item.line, clock, context.hasColour)}\n`))
        await new Promise((resolve) => process.stdout.once("drain", resolve));
    }
  } catch (error) {
    if (!isLeft) throw error;
  }
  return EXIT.ok;
};
