/** Cuts a byte stream into lines fit for a terminal: UTF-8 joined across chunks, progress bars collapsed, everything sanitised. */

import { sanitise } from "../sanitise.ts";

/** A longer line is shown in pieces, in UTF-16 units; the disk keeps it whole. */
export const LINE_MAX = 16_384;

/** A progress bar rewrites its line with carriage returns; only its last state is shown. */
export function afterLastReturn(line: string): string {
  const body = line.endsWith("\r") ? line.slice(0, -1) : line;
  return body.slice(body.lastIndexOf("\r") + 1);
}

export const displayLine = (line: string): string => sanitise(afterLastReturn(line));

export type LineReader = { readonly push: (bytes: Uint8Array) => readonly string[]; readonly end: () => readonly string[] };

export function createLineReader(): LineReader {
  const decoder = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });
  let open = "";
  const take = (text: string): string[] => {
    const pieces = (open + text).split("\n");
    open = pieces.pop() ?? "";
    const lines = pieces.map(displayLine);
    if (open.length > LINE_MAX) {
      open = afterLastReturn(open); // a bar that never ends its line costs no memory
      for (; open.length > LINE_MAX; open = open.slice(LINE_MAX)) lines.push(sanitise(open.slice(0, LINE_MAX)));
    }
    return lines;
  };
  return {
    push: (bytes) => take(decoder.decode(bytes, { stream: true })),
    end: () => {
      const lines = take(decoder.decode());
      if (open !== "") lines.push(displayLine(open));
      open = "";
      return lines;
    },
  };
}
