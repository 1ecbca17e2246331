/**
 * The journal of one run: JSON lines with a checksum each, fsynced before an effect is performed. Events build upon each other, so what
 * comes after a line that cannot be read is not trusted either: the journal ends there, the rest is kept aside for a person
 * (journal.jsonl.bad-TIME), and what the agents have on record says how the run went on (mend.ts).
 */

import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { RunEvent } from "../../cluster/run/events.ts";
import { seal, unseal } from "../../cluster/sealed-line.ts";

/** The agent event that an event came from: after a restart the agent sends what follows it. `rebuilt`: see agent/run.ts; 0 where it is not said. */
export type Cursor = { readonly host: string; readonly index: number; readonly rebuilt?: number };
export type JournalLine = { readonly i: number; readonly event: RunEvent; readonly cursor?: Cursor };

export type Journal = {
  readonly lines: JournalLine[];
  /** Durable when it returns: one write and one fsync for all of them. */
  readonly append: (entries: readonly Omit<JournalLine, "i">[]) => void;
  readonly close: () => void;
};

/** Bytes kept back beside each live journal. */
const RESERVE = 64 * 1024;
/** There for as long as the journal is open; left by a controller that was killed. */
export const reserveOf = (dir: string): string => join(dir, "reserve");
export const journalOf = (dir: string): string => join(dir, "journal.jsonl");

export const lineText = (line: JournalLine): string => `${seal(JSON.stringify(line))}\n`;

export function openJournal(dir: string): Journal {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const path = journalOf(dir);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) renameSync(path, asideOf(dir));
  const fd = openSync(path, "a+", 0o600);
  const whole = readFileSync(fd);
  const { lines, length } = readLines(whole);
  if (length < whole.length) putAside(dir, whole.subarray(length));
  ftruncateSync(fd, length);
  let size = length;
  const reserve = reserveOf(dir);
  keepReserve(reserve);
  return {
    lines,
    append: (entries) => {
      const added = entries.map((entry, k) => ({ i: lines.length + k, ...entry }));
      const bytes = Buffer.from(added.map(lineText).join(""));
      try {
        size = writeWhole(fd, bytes, size);
      } catch (error) {
        if (!existsSync(reserve)) throw error;
        rmSync(reserve); // a full disk: this much was kept back so that a stop can still be written
        size = writeWhole(fd, bytes, size);
      }
      lines.push(...added);
    },
    close: () => {
      rmSync(reserve, { force: true });
      closeSync(fd);
    },
  };
}

const asideOf = (dir: string): string => `${journalOf(dir)}.bad-${Date.now()}`;

/** What could not be read, for a person; the path of it. */
export function putAside(dir: string, bytes: Uint8Array): string {
  const path = asideOf(dir);
  writeFileSync(path, bytes, { mode: 0o600, flush: true });
  return path;
}

function keepReserve(path: string): void {
  try {
    writeFileSync(path, Buffer.alloc(RESERVE), { mode: 0o600, flush: true });
  } catch {
    rmSync(path, { force: true }); // the disk is full already
  }
}

/** All of it durable behind `size`, or none of it. Returns the new size. Errors: what the disk says. */
function writeWhole(fd: number, bytes: Buffer, size: number): number {
  try {
    let done = 0;
    while (done < bytes.length) done += writeSync(fd, bytes, done);
    fsyncSync(fd);
    return size + bytes.length;
  } catch (error) {
    ftruncateSync(fd, size);
    throw error;
  }
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
  const json = unseal(text);
  return json === null ? null : (JSON.parse(json) as JournalLine);
}
