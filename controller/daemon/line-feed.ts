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

type Part = { readonly name: StreamName; readonly decoder: StringDecoder; rest: string };

export type LineFeed = {
  readonly push: (host: string, stream: string, data: Uint8Array, at: number) => void;
  /** What was left without a newline. */
  readonly flush: (at: number) => void;
};

export function feedLines(take: (line: LogLine) => void): LineFeed {
  const parts = new Map<string, Part & { host: string }>();
  const say = (part: Part & { host: string }, text: string, at: number): void =>
    take({ host: part.host, ...part.name, at, text: text.endsWith("\r") ? text.slice(0, -1) : text });
  return {
    push: (host, stream, data, at) => {
      const key = `${host}\n${stream}`;
      const part = parts.get(key) ?? { host, name: parseStream(stream), decoder: new StringDecoder("utf8"), rest: "" };
      parts.set(key, part);
      const lines = (part.rest + part.decoder.write(Buffer.from(data.buffer, data.byteOffset, data.byteLength))).split("\n");
      part.rest = lines.pop() ?? "";
      for (const line of lines) say(part, line.length > LINE ? `${line.slice(0, LINE)}…` : line, at);
      if (part.rest.length > 2 * LINE) part.rest = part.rest.slice(0, LINE); // a line without end is cut, not held
    },
    flush: (at) => {
      for (const part of parts.values()) {
        if (part.rest !== "") say(part, part.rest, at);
        part.rest = "";
      }
    },
  };
}
