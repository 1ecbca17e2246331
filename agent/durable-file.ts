/**
 * Files that are whole or absent after a crash, and journals of sealed lines: what a crash tore, or a disk has changed, ends them at the
 * line before; what comes after is kept beside them (FILE.bad-TIME), for a person.
 */

import { closeSync, fdatasync, fsyncSync, ftruncateSync, openSync, readFileSync, renameSync, statSync, unlinkSync, writeFileSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { seal, unseal } from "../cluster/sealed-line.ts";

export function writeDurable(path: string, text: string): void {
  const temporary = `${path}.new`;
  const fd = openSync(temporary, "w", 0o600);
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } catch (error) {
    unlinkSync(temporary);
    throw error;
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, path);
  syncDir(dirname(path));
}

export function syncDir(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

export type Read = {
  /** As they were sealed, each JSON. */
  readonly lines: readonly string[];
  /** Numbers, from 1, of whole lines that are not what was written. */
  readonly bad: readonly number[];
};

/** Whole lines only; what a crash tore off is not a line. Nothing where there is no such file. */
export function readLines(path: string): Read {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return { lines: [], bad: [] };
  }
  const found = text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .slice(0, -1)
    .map(unseal);
  return { lines: found.filter((line) => line !== null), bad: found.flatMap((line, k) => (line === null ? [k + 1] : [])) };
}

export type Journal = {
  /** Lines found at the start, as they were appended. */
  readonly lines: readonly string[];
  /** What was cut off at the start, in words; null: nothing. */
  readonly cut: string | null;
  /** Resolves when the line, the JSON of an object, is on the disk, or when the disk took it not: then it is tried again until it does. */
  readonly append: (line: string) => Promise<void>;
  /** Takes effect when what was appended is written. */
  readonly close: () => void;
};

/** A full disk must not silence a rank's death: the caller goes on, the lines wait. */
const RETRY_MS = 1000;

/** `isNext`: whether a line may follow `k` others; one that may not ends the journal as well. */
export function openJournal(path: string, onTrouble: (error: Error) => void, isNext: (line: string, k: number) => boolean = () => true): Journal {
  const aside = `${path}.bad-${Date.now()}`;
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) renameSync(path, aside);
  const fd = openSync(path, "a", 0o600);
  const whole = readFileSync(path);
  const { lines, length } = upToBad(whole, isNext);
  const cut = length === whole.length ? null : `line ${lines.length + 1} of ${path} cannot be read (${keptIn(aside, whole.subarray(length))})`;
  let size = length;
  ftruncateSync(fd, size);
  let waiting: { line: string; done: () => void }[] = [];
  let isBusy = false;
  let isClosing = false;
  let isClosed = false;

  const flush = (): void => {
    if (isBusy) return;
    if (waiting.length === 0) {
      if (isClosing && !isClosed) {
        isClosed = true;
        closeSync(fd);
      }
      return;
    }
    isBusy = true;
    const batch = waiting;
    waiting = [];
    const finish = (error: Error | null): void => {
      isBusy = false;
      for (const { done } of batch) done();
      if (error === null) return flush();
      ftruncateSync(fd, size); // half a line is worse than none, and a retry must not double one
      onTrouble(error);
      waiting = [...batch.map(({ line }) => ({ line, done: () => undefined })), ...waiting];
      setTimeout(flush, RETRY_MS).unref();
    };
    try {
      const data = Buffer.from(batch.map(({ line }) => `${seal(line)}\n`).join(""));
      let written = 0;
      while (written < data.length) written += writeSync(fd, data, written);
      fdatasync(fd, (error) => {
        if (error === null) size += data.length;
        finish(error);
      });
    } catch (error) {
      finish(error as Error);
    }
  };

  return {
    lines,
    cut,
    append: (line) =>
      new Promise((done) => {
        waiting.push({ line, done });
        queueMicrotask(flush); // one fsync for all of this turn
      }),
    close: () => {
      isClosing = true;
      flush();
    },
  };
}

/** A disk that is full must not keep the run from being served. */
function keptIn(path: string, bytes: Uint8Array): string {
  try {
    writeFileSync(path, bytes, { mode: 0o600, flush: true });
    return `kept in ${path}`;
  } catch (error) {
    return `and could not be kept: ${(error as Error).message}`;
  }
}

/** The lines up to the first that is not whole, and their length in bytes. */
function upToBad(bytes: Buffer, isNext: (line: string, k: number) => boolean): { lines: string[]; length: number } {
  const lines: string[] = [];
  let from = 0;
  for (let to = bytes.indexOf(10); to >= 0; to = bytes.indexOf(10, from)) {
    const line = unseal(bytes.toString("utf8", from, to));
    if (line === null || !isNext(line, lines.length)) break;
    lines.push(line);
    from = to + 1;
  }
  return { lines, length: from };
}
