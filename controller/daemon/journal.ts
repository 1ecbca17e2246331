/** The journal of one run: JSON lines, fsynced before an effect is performed. A torn last line is cut off at the next start. */

import { closeSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { RunEvent } from "../../cluster/run/events.ts";

/** `cursor`: the event came from this agent event, so after a restart the agent sends what follows it. */
export type JournalLine = { readonly i: number; readonly event: RunEvent; readonly cursor?: { readonly host: string; readonly index: number } };

export type Journal = {
  readonly lines: JournalLine[];
  /** Durable when it returns: one write and one fsync for all of them. */
  readonly append: (entries: readonly Omit<JournalLine, "i">[]) => void;
  readonly close: () => void;
};

export function openJournal(dir: string): Journal {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const fd = openSync(join(dir, "journal.jsonl"), "a+", 0o600);
  const { lines, length } = readLines(readFileSync(fd));
  ftruncateSync(fd, length);
  return {
    lines,
    append: (entries) => {
      const added = entries.map((entry, k) => ({ i: lines.length + k, ...entry }));
      writeSync(fd, added.map((line) => `${JSON.stringify(line)}\n`).join(""));
      fsyncSync(fd);
      lines.push(...added);
    },
    close: () => closeSync(fd),
  };
}

/** The whole lines up to the first that cannot be read, and their length in bytes. */
export function readLines(bytes: Buffer): { lines: JournalLine[]; length: number } {
  const lines: JournalLine[] = [];
  let from = 0;
  for (let to = bytes.indexOf(10, from); to >= 0; to = bytes.indexOf(10, from)) {
    const line = parse(bytes.toString("utf8", from, to));
    if (line?.i !== lines.length) break;
    lines.push(line);
    from = to + 1;
  }
  return { lines, length: from };
}

function parse(text: string): JournalLine | null {
  try {
    return JSON.parse(text) as JournalLine;
  } catch {
    return null;
  }
}
