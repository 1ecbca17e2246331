/** Files that are whole or absent after a crash, and journals whose torn tail is cut off. */

import { closeSync, fdatasync, fsyncSync, ftruncateSync, openSync, readFileSync, renameSync, unlinkSync, writeSync } from "node:fs";
import { dirname } from "node:path";

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

/** Whole lines only; what a crash tore off is not a line. */
export function readLines(path: string): string[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return [];
  }
  return text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .slice(0, -1);
}

export type Journal = {
  /** Lines found at the start. */
  readonly lines: readonly string[];
  /** Resolves when the line is on the disk, or when the disk took it not: then it is tried again until it does. */
  readonly append: (line: string) => Promise<void>;
  /** Takes effect when what was appended is written. */
  readonly close: () => void;
};

/** A full disk must not silence a rank's death: the caller goes on, the lines wait. */
const RETRY_MS = 1000;

export function openJournal(path: string, onTrouble: (error: Error) => void): Journal {
  const fd = openSync(path, "a", 0o600);
  const lines = readLines(path);
  let size = lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);
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
      const data = Buffer.from(batch.map(({ line }) => `${line}\n`).join(""));
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
