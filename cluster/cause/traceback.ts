/** Reads the last Python traceback of a text: type, message and the place in the user's own code. */

export type Frame = { readonly file: string; readonly line: number; readonly name: string };

export type Exception = {
  /** "ValueError", "torch.OutOfMemoryError". */
  readonly type: string;
  /** The first line. */
  readonly message: string;
  /** All lines of the message that were looked at, the first with its type. */
  readonly lines: readonly string[];
  /** The innermost in the user's code, or the innermost at all. */
  readonly frame: Frame | null;
  /** Nothing caught it: torch marks those, the elastic error file holds only those. */
  readonly isUncaught: boolean;
};

/** What torch, torchrun and accelerate put before lines of a rank. */
const PREFIX = /^\[(?:rank|default)?\d{1,6}\]:(?: |$)/;
const UNCAUGHT = /^\[rank\d{1,6}\]:/;
const FRAME = /^\s{1,40}File "(?<file>[^"\n]{1,1000})", line (?<line>\d{1,9})(?:, in (?<name>[^\n]{1,200}))?/;
const EXCEPTION = /^(?<type>[A-Za-z_][\w.]{0,200})(?:: (?<message>.*))?$/;
/** A syntax error has frames and no header. */
const SYNTAX = /^(?:SyntaxError|IndentationError|TabError): /;
/** Code of Python and of packages: not where a person looks first. */
const FOREIGN = /(?:site|dist)-packages\/|\/lib(?:64)?\/python\d|^<frozen |\/lib\/python3\b/;
const LINES_MAX = 12;
const MESSAGE_MAX = 400;

export const withoutPrefix = (line: string): string => line.replace(PREFIX, "");

const baseOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

export function lastException(text: string): Exception | null {
  const raw = text.split(/\r?\n/);
  const lines = raw.map(withoutPrefix);
  for (let at = lines.length - 1; at >= 0; at -= 1) {
    const line = lines[at] ?? "";
    if (line.startsWith("Traceback (most recent call last):")) return read(lines, at + 1, UNCAUGHT.test(raw[at] ?? ""));
    if (SYNTAX.test(line)) {
      const start = lines.slice(0, at).findLastIndex((before) => FRAME.test(before));
      if (start >= 0 && at - start <= 4) return read(lines, start, true);
    }
  }
  return null;
}

/** From the first frame on: frames are indented, the first line that is not is the exception's. */
function read(lines: readonly string[], from: number, isUncaught: boolean): Exception | null {
  const frames: Frame[] = [];
  for (let at = from; at < lines.length; at += 1) {
    const line = lines[at] ?? "";
    const groups = FRAME.exec(line)?.groups;
    if (groups !== undefined) frames.push({ file: groups.file ?? "", line: Number(groups.line), name: groups.name ?? "" });
    if (/^\s/.test(line) || line === "") continue;
    const match = EXCEPTION.exec(line.slice(0, 4000))?.groups;
    if (match === undefined) return null;
    return {
      type: match.type ?? "",
      message: (match.message ?? "").slice(0, MESSAGE_MAX),
      lines: lines.slice(at, at + LINES_MAX),
      frame: frames.findLast(({ file }) => !FOREIGN.test(file)) ?? frames.at(-1) ?? null,
      isUncaught,
    };
  }
  return null;
}

/** What `record` of torch.distributed.elastic wrote: "ValueError: bad batch", with the traceback as its call stack. */
export function exceptionOf(message: string, callstack: string): Exception | null {
  const whole = lastException(callstack);
  if (whole !== null) return { ...whole, isUncaught: true };
  const lines = message.split("\n").slice(0, LINES_MAX);
  const match = EXCEPTION.exec((lines[0] ?? "").slice(0, 4000))?.groups;
  return match === undefined ? null : { type: match.type ?? "", message: (match.message ?? "").slice(0, MESSAGE_MAX), lines, frame: null, isUncaught: true };
}

/** Where a native crash came from, as faulthandler writes it: the innermost frame of the user's code in the thread that crashed. */
export function crashFrame(text: string): Frame | null {
  const lines = text.split(/\r?\n/).map(withoutPrefix);
  const start = lines.findLastIndex((line) => line.startsWith("Fatal Python error: "));
  const headOf = (head: string): number => (start < 0 ? -1 : lines.findIndex((line, at) => at > start && line.startsWith(head)));
  const current = headOf("Current thread ");
  const thread = current >= 0 ? current : headOf("Thread ");
  const frames: Frame[] = [];
  for (const line of thread < 0 ? [] : lines.slice(thread + 1, thread + 200)) {
    const groups = /^ {1,8}File "(?<file>[^"\n]{1,1000})", line (?<line>\d{1,9}) in (?<name>[^\n]{1,200})/.exec(line)?.groups;
    if (groups === undefined) break;
    frames.push({ file: groups.file ?? "", line: Number(groups.line), name: groups.name ?? "" });
  }
  return frames.find(({ file }) => !FOREIGN.test(file)) ?? frames[0] ?? null;
}

/** " at train.py:88 in step()". */
export const tellFrame = (frame: Frame | null): string =>
  frame === null ? "" : ` at ${baseOf(frame.file)}:${frame.line}${/^\w+$/.test(frame.name) ? ` in ${frame.name}()` : ""}`;

/** "raised ValueError: bad batch at train.py:88 in step()". */
export function tellException({ type, message, frame }: Exception): string {
  const said = message === "" ? type : `${type}: ${message}`;
  return `raised ${said}${tellFrame(frame)}`;
}

/** Without what changes from attempt to attempt: addresses, numbers, paths of this attempt. */
export function placeOf({ type, message, frame }: Exception): string {
  if (frame !== null) return `${baseOf(frame.file)}:${frame.line} ${type}`;
  const steady = message.replace(/0x[0-9a-fA-F]+|\d+/g, "#").slice(0, 80);
  return `${type} ${steady}`.trim();
}
