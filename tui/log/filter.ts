/** The filter of logs: `host:gpu-a,gpu-b rank:0,4-7 level:warning stream:err loss !grad norm`. Terms narrow; the rest is a regular expression, and one after `!` must not be found. */

import { withoutColour } from "../../cluster/sanitise.ts";
import { afterLastReturn } from "../../cluster/view/lines.ts";
import type { LogLine, LogStream } from "../../cluster/viewer.ts";
import { isAtLeast, LEVELS, type Level } from "./level.ts";

export type Filter = {
  /** As it was typed. */
  readonly text: string;
  readonly matches: (line: LogLine, level: Level) => boolean;
  /** What must be found, to show where; null: nothing of that kind. */
  readonly pattern: RegExp | null;
};

export type Parsed = { readonly ok: true; readonly filter: Filter } | { readonly ok: false; readonly why: string };

type Test = (line: LogLine, level: Level) => boolean;

/** Looked at of a line, so that a pattern that tries all ways costs little. In UTF-16 units. */
const SEARCHED = 4000;
const STREAMS: readonly LogStream[] = ["out", "err", "nccl", "launcher"];
/** A repeated group that repeats within: takes for ever on some lines. */
const ENDLESS = /\((?:[^()\\]|\\.)*(?:[+*]|\{\d+,\d*\})(?:[^()\\]|\\.)*\)(?:[+*]|\{\d+,)/;

export const ALL: Filter = { text: "", matches: () => true, pattern: null };

export const searched = (line: LogLine): string => {
  const text = line.text.includes("\r") ? afterLastReturn(line.text) : line.text;
  return (text.includes("\u001b") ? withoutColour(text) : text).slice(0, SEARCHED);
};

export function parseFilter(text: string): Parsed {
  const tests: Test[] = [];
  /** Each a pattern, `!` before those that must not be found. */
  const patterns: string[] = [];
  for (const word of text.trim().split(/ +/)) {
    const [, not, name, value] = /^(!?)(host|rank|level|stream):(.+)$/.exec(word) ?? [];
    if (name !== undefined && value !== undefined) {
      const term = termOf(name, value);
      if (typeof term === "string") return { ok: false, why: term };
      tests.push(not === "!" ? (line, level) => !term(line, level) : term);
    } else if (patterns.length === 0 || word.startsWith("!")) patterns.push(word);
    else patterns.push(`${patterns.pop()} ${word}`);
  }
  let found: RegExp | null = null;
  for (const each of patterns.filter((pattern) => pattern !== "" && pattern !== "!")) {
    const isNot = each.startsWith("!");
    const pattern = patternOf(isNot ? each.slice(1) : each);
    if (typeof pattern === "string") return { ok: false, why: pattern };
    if (isNot) tests.push((line) => line.gap !== undefined || !pattern.test(searched(line)));
    else {
      found = pattern;
      tests.push((line) => line.gap !== undefined || pattern.test(searched(line)));
    }
  }
  const matches: Test = (line, level) => tests.every((test) => test(line, level));
  return { ok: true, filter: { text: text.trim(), matches, pattern: found } };
}

/** Small letters alone stand for large ones too. */
function patternOf(source: string): RegExp | string {
  if (ENDLESS.test(source)) return `${source} repeats what repeats: it can take for ever`;
  try {
    return new RegExp(source, /\p{Lu}/u.test(source.replace(/\\./g, "")) ? "u" : "iu");
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function termOf(name: string, value: string): Test | string {
  const values = value.split(",").filter((each) => each !== "");
  if (name === "host") {
    const hosts = values.map((each) => new RegExp(`^${each.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`, "i"));
    return ({ host }) => hosts.some((pattern) => pattern.test(host));
  }
  if (name === "level") {
    const least = LEVELS.find((level) => value !== "" && level.startsWith(value.toLowerCase()));
    return least === undefined ? `level: is one of ${LEVELS.join(", ")}` : (_line, level) => isAtLeast(level, least);
  }
  if (name === "stream") {
    const streams = values.map((each) => STREAMS.find((stream) => stream === each.replace(/^std/, "")));
    return streams.includes(undefined) ? `stream: is one of ${STREAMS.join(", ")}` : ({ stream }) => streams.includes(stream);
  }
  const ranges = values.map((each) => /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(each));
  if (ranges.includes(null)) return "rank: takes ranks such as 0,4-7";
  const bounds = ranges.map((range) => [Number(range?.[1]), Number(range?.[2] ?? range?.[1])] as const);
  return ({ rank }) => rank !== null && bounds.some(([from, to]) => from <= rank && rank <= to);
}
