/** How bad a line is, by what loggers, interpreters and NCCL write; the frames of a traceback are as bad as it is. */

import { afterLastReturn } from "../../cluster/view/lines.ts";
import type { LogLine } from "../../cluster/viewer.ts";

export type Level = "debug" | "info" | "warning" | "error";
export const LEVELS = ["debug", "info", "warning", "error"] as const satisfies readonly Level[];

export const isAtLeast = (level: Level, least: Level): boolean => LEVELS.indexOf(level) >= LEVELS.indexOf(least);

/** Looked at of a line: what says how bad it is stands at its beginning. */
const HEAD = 240;
const TRACEBACK = /Traceback \(most recent call last\)/;
/** glog's `[E1124 14:02:11`; `RuntimeError: …`; `terminate called`; what kernels and the C library say. */
const ERROR =
  /\b(?:ERROR|CRITICAL|FATAL|ERR)\b|\[?[EF]\d{4} \d\d:|^(?:\[rank\d+\]: ?)?[\w.]*(?:Error|Exception|Interrupt)\b(?::|$)|\b(?:CUDA error|terminate called|Segmentation fault|core dumped|Killed|out of memory)\b|^error[: ]/;
const WARNING = /\bWARN(?:ING)?\b|\[?W\d{4} \d\d:|\w*Warning\b:|^warning[: ]/;
const DEBUG = /\b(?:DEBUG|TRACE)\b|\[?[DV]\d{4} \d\d:/;
/** Cheap look before the dear ones: nearly all lines have none of these. */
const ANY = /[A-Z]{3}|Err|Exc|Int|rror|War|warn|Trace|term|Seg|core|Kill|memory|[EFWDV]\d{4} /;

export function levelOf(text: string): Level {
  const head = text.slice(0, HEAD);
  if (!ANY.test(head)) return "info";
  if (TRACEBACK.test(head) || ERROR.test(head))
    return WARNING.test(head.slice(0, 80)) && !TRACEBACK.test(head) && !/\bERROR\b/.test(head) ? "warning" : "error";
  if (WARNING.test(head)) return "warning";
  return DEBUG.test(head) ? "debug" : "info";
}

const FRAME = /^(?:\[rank\d+\]: ?)?(?:\s|$)/;

/** Levels of lines that come in their order: frames after the head of a traceback are errors too. */
export function createLevels(): (line: LogLine) => Level {
  const inTraceback = new Set<string>();
  return (line) => {
    if (line.gap !== undefined) return "warning";
    const text = line.text.includes("\r") ? afterLastReturn(line.text) : line.text;
    const own = levelOf(text);
    if (own !== "error" && inTraceback.size === 0) return own;
    const who = `${line.host}\n${line.rank}\n${line.stream}`;
    if (own === "error") {
      if (TRACEBACK.test(text)) inTraceback.add(who);
      else if (!FRAME.test(text)) inTraceback.delete(who);
      return own;
    }
    if (!inTraceback.has(who)) return own;
    if (FRAME.test(text)) return "error";
    inTraceback.delete(who);
    return own;
  };
}
