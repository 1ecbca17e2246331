/** Tails the log files of one run for one link: by offset, fair between streams, never more ahead of the acknowledgement than LOG_WINDOW. */

import { type FSWatcher, fstatSync, readdirSync, watch } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import type { BinaryHeader } from "../cluster/frame.ts";
import { FRAME_DATA, LOG_WINDOW } from "../cluster/protocol.ts";
import type { ShimEvent } from "../cluster/shim-contract.ts";
import { addGap } from "./attempt-view.ts";
import { readLines } from "./durable-file.ts";
import { isStream } from "./log-streams.ts";
import { attemptDir, type Run, viewOf } from "./run.ts";

/** While data flows; lines that come in between share a frame. */
const BUSY_MS = 20;
/** While nothing flows: a safety net under inotify. */
const QUIET_MS = 200;
const BUSY_FOR_MS = 1000;
/** A stretch of zeros this long may be a hole that the shim has punched since we last looked. */
const ZEROS = Buffer.alloc(64);

export type LogSink = {
  /** Whether the link can take more without growing. */
  readonly hasRoom: () => boolean;
  readonly sendFrame: (frame: Uint8Array) => void;
};

export type LogTail = { readonly ack: (cursors: Readonly<Record<string, number>>) => void; readonly close: () => void };

type Stream = {
  readonly name: string;
  readonly attempt: number;
  readonly file: string;
  handle: FileHandle | null;
  sent: number;
  acked: number;
  isDone: boolean;
};

export function tailLogs(run: Run, cursors: Readonly<Record<string, number>>, sink: LogSink, log: (text: string) => void): LogTail {
  const streams = new Map<string, Stream>();
  const watchers = new Map<number, FSWatcher>();
  let isClosed = false;
  let isPumping = false;
  let mustLook = true;
  let lookedAt = 0;
  let movedAt = Date.now();
  let timer: NodeJS.Timeout | undefined;

  const wake = (): void => {
    if (isClosed) return;
    clearTimeout(timer);
    void pump();
  };
  const schedule = (): void => {
    clearTimeout(timer);
    if (isClosed) return;
    const isBusy = Date.now() - movedAt < BUSY_FOR_MS;
    const isOver = [...run.attempts.values()].every((view) => view.isDrained) && [...streams.values()].every((stream) => stream.isDone);
    if (isOver) return unwatch(); // an event of a new attempt wakes us
    if (isBusy) unwatch();
    else rewatch();
    timer = setTimeout(wake, isBusy ? BUSY_MS : QUIET_MS);
  };
  // A watcher wakes per write: good for the first line after a silence, waste while lines pour.
  const unwatch = (): void => {
    for (const watcher of watchers.values()) watcher.close();
    watchers.clear();
  };
  const rewatch = (): void => {
    for (const view of run.attempts.values()) {
      if (view.isDrained || watchers.has(view.attempt)) continue;
      try {
        const watcher = watch(attemptDir(run, view.attempt), () => {
          mustLook = true;
          wake();
        });
        watcher.on("error", () => watcher.close());
        watchers.set(view.attempt, watcher);
      } catch {
        // No inotify watch to be had: the timer does it.
      }
    }
  };

  const look = (): void => {
    if (!mustLook && Date.now() - lookedAt < QUIET_MS) return;
    mustLook = false;
    lookedAt = Date.now();
    for (const { attempt } of run.attempts.values()) {
      for (const file of listDir(attemptDir(run, attempt))) {
        const name = `a${attempt}/${file}`;
        if (!isStream(file) || streams.has(name)) continue;
        const from = cursors[name] ?? 0;
        streams.set(name, { name, attempt, file, handle: null, sent: from, acked: from, isDone: false });
      }
    }
  };

  const pump = async (): Promise<void> => {
    if (isPumping) return;
    isPumping = true;
    try {
      for (let moved = true; moved && !isClosed; ) {
        moved = false;
        look();
        for (const stream of streams.values()) {
          if (isClosed || !sink.hasRoom()) break;
          if (!stream.isDone && (await step(stream))) moved = true;
        }
        if (moved) movedAt = Date.now();
      }
    } catch (error) {
      log(`${run.run}: log tail: ${String(error)}`);
    } finally {
      isPumping = false;
      schedule();
    }
  };

  const ahead = (): number => [...streams.values()].reduce((sum, stream) => sum + Math.max(0, stream.sent - stream.acked), 0);

  /** One frame of one stream; true when something was sent. */
  const step = async (stream: Stream): Promise<boolean> => {
    const view = viewOf(run, stream.attempt);
    const isFinal = view.isDrained; // before the size: what is final now was final when we measured
    stream.handle ??= await open(join(attemptDir(run, stream.attempt), stream.file), "r").catch(() => null);
    if (stream.handle === null) {
      log(`${run.run}: ${stream.name} cannot be read`);
      stream.isDone = true;
      return false;
    }
    const size = fstatSync(stream.handle.fd).size;
    const gaps = view.gaps.get(stream.file) ?? [];
    const gap = gaps.find((one) => one.from <= stream.sent && stream.sent < one.to);
    if (gap !== undefined) {
      sink.sendFrame(frameOf({ t: "gap", run: run.run, stream: stream.name, offset: stream.sent, to: gap.to, why: gap.why }, 0).frame);
      stream.sent = gap.to;
      stream.acked = Math.max(stream.acked, gap.to);
      return true;
    }
    const end = Math.min(size, gaps.find((one) => one.from > stream.sent)?.from ?? size);
    const want = Math.min(end - stream.sent, FRAME_DATA, LOG_WINDOW - ahead());
    if (want <= 0) {
      if (isFinal && stream.sent >= size) await finish(stream);
      return false;
    }
    const { frame, body } = frameOf({ t: "log", run: run.run, stream: stream.name, offset: stream.sent }, want);
    const { bytesRead } = await stream.handle.read(frame, body, want, stream.sent);
    if (bytesRead === 0 || isClosed) return false;
    if (mayBeHole(frame.subarray(body, body + bytesRead)) && foundGap(run, stream, bytesRead)) return true;
    sink.sendFrame(frame.subarray(0, body + bytesRead));
    stream.sent += bytesRead;
    return true;
  };

  const finish = async (stream: Stream): Promise<void> => {
    stream.isDone = true;
    const handle = stream.handle;
    stream.handle = null;
    await handle?.close();
  };

  const onEvent = (): void => {
    mustLook = true;
    wake();
  };
  run.listeners.add(onEvent);
  void pump();

  return {
    ack: (offsets) => {
      for (const [name, offset] of Object.entries(offsets)) {
        const stream = streams.get(name);
        if (stream !== undefined) stream.acked = Math.max(stream.acked, Math.min(offset, stream.sent));
      }
      wake();
    },
    close: () => {
      isClosed = true;
      clearTimeout(timer);
      run.listeners.delete(onEvent);
      unwatch();
      for (const stream of streams.values()) void finish(stream);
    },
  };
}

function listDir(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** As packFrame of the protocol, with room for the data to be read into: log bytes are copied once. */
function frameOf(header: BinaryHeader, size: number): { frame: Buffer; body: number } {
  const head = Buffer.from(JSON.stringify(header));
  const frame = Buffer.allocUnsafe(4 + head.length + size);
  frame.writeUInt32BE(head.length);
  head.copy(frame, 4);
  return { frame, body: 4 + head.length };
}

/** Of a hole that begins or ends within the frame less than a stretch may be seen. */
const mayBeHole = (data: Uint8Array): boolean => data[0] === 0 || data.at(-1) === 0 || Buffer.from(data.buffer, data.byteOffset, data.length).includes(ZEROS);

/** A gap event is in the attempt's own file before its hole is punched; true when one covers any of what was just read. It may have come while we read. */
function foundGap(run: Run, stream: Stream, size: number): boolean {
  const view = viewOf(run, stream.attempt);
  for (const line of readLines(join(attemptDir(run, stream.attempt), "events.jsonl")).lines) {
    const event = JSON.parse(line) as ShimEvent;
    if (event.type === "gap" && event.file === stream.file) addGap(view.gaps, event.file, event);
  }
  return (view.gaps.get(stream.file) ?? []).some((gap) => gap.from < stream.sent + size && gap.to > stream.sent);
}
