/** Bytes of many streams into lines for those who watch. Made only from what arrives; nobody watching costs nothing. */

import { StringDecoder } from "node:string_decoder";
import type { LogLine, LogStream } from "../../cluster/viewer.ts";

/** Longer lines are cut for viewing; the file keeps them whole. In characters. */
const LINE = 64 * 1024;

export type StreamName = { readonly attempt: number; readonly rank: number | null; readonly stream: LogStream };

/** "a1/rank3.err" → attempt 1, rank 3, err. */
export function parseStream(name: string): StreamName {
  const [, attempt, rank, kind] = /^a(\d+)\/(?:rank(\d+)|launcher)\.(out|err|nccl)$/.exec(name) ?? [];
  const isRank = rank !== undefined;
  return { attempt: Number(attempt ?? 0), rank: isRank ? Number(rank) : null, stream: isRank ? ((kind ?? "out") as LogStream) : "launcher" };
}

type Part = { readonly host: string; readonly name: StreamName; readonly decoder: StringDecoder; rest: string };

export type LineFeed = {
  readonly push: (host: string, stream: string, data: Uint8Array, at: number) => void;
  /** What was left without a newline. */
  readonly flush: (at: number) => void;
};

/** `begun`: what a stream's present line held already when its first `fresh` bytes come by, so that no line is told by its end alone. */
export function feedLines(take: (line: LogLine) => void, begun?: (host: string, stream: string, fresh: number) => Uint8Array): LineFeed {
  const parts = new Map<string, Part>();
  const say = (part: Part, text: string, at: number): void => {
    const short = text.length > LINE ? shorten(text) : text;
    const cut = short.length > LINE ? `${short.slice(0, LINE)}…` : short;
    take({ host: part.host, ...part.name, at, text: cut.endsWith("\r") ? cut.slice(0, -1) : cut });
  };
  const begin = (host: string, stream: string, fresh: number): Part => {
    const decoder = new StringDecoder("utf8");
    const before = begun?.(host, stream, fresh);
    return { host, name: parseStream(stream), decoder, rest: before === undefined ? "" : decoder.write(Buffer.from(before)) };
  };
  return {
    push: (host, stream, data, at) => {
      const key = `${host}\n${stream}`;
      const part = parts.get(key) ?? begin(host, stream, data.length);
      parts.set(key, part);
      const lines = (part.rest + part.decoder.write(Buffer.from(data.buffer, data.byteOffset, data.byteLength))).split("\n");
      part.rest = lines.pop() ?? "";
      for (const line of lines) say(part, line, at);
      if (part.rest.length > 2 * LINE) part.rest = shorten(part.rest);
    },
    flush: (at) => {
      for (const part of parts.values()) {
        const rest = part.rest + part.decoder.end();
        part.rest = "";
        if (rest !== "") say(part, rest, at);
      }
    },
  };
}

/** A line without end is cut, not held; of a progress bar, which never ends its line, the last state stays. */
function shorten(rest: string): string {
  const bar = rest.slice(rest.lastIndexOf("\r", rest.length - 2) + 1);
  return (bar.length < LINE ? bar : rest).slice(0, LINE + 1);
}
