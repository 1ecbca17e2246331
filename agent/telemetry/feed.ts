/** Hands samples over one link: those on disk from a number on, then each as it comes; never more than a window ahead of what the controller has on its disk. */

import type { FromAgent } from "../../cluster/protocol.ts";
import type { SampleItem } from "../../cluster/telemetry/sample.ts";
import type { Sampler } from "./sampler.ts";

/** Samples that may be on their way. */
const WINDOW = 1200;
/** Of a message, in characters: commands must not be stuck behind it. */
const MESSAGE = 48 * 1024;
const READ = 200;

export type FeedSink = { readonly send: (message: FromAgent) => void; readonly hasRoom: () => boolean; readonly whenRoom: (then: () => void) => void };
export type Feed = { readonly ack: (next: number) => void; readonly close: () => void };

/** `since`: older ones are of other runs. */
export function feedSamples(sampler: Sampler, run: string, from: number, since: number, sink: FeedSink): Feed {
  let next = from;
  let acked = from;
  let isClosed = false;
  let isPumping = false;
  let hasSent = false;
  /** What was sent last is what the next patch builds on. */
  let isInStep = false;

  const mayGo = (): boolean => !isClosed && next - acked < WINDOW && sink.hasRoom();
  const send = (items: readonly SampleItem[]): void => {
    let batch: SampleItem[] = [];
    let size = 0;
    const flush = (): void => {
      if (batch.length > 0) sink.send({ type: "samples", run, items: batch });
      hasSent ||= batch.length > 0;
      [batch, size] = [[], 0];
    };
    for (const item of items) {
      const length = JSON.stringify(item).length;
      if (size + length > MESSAGE) flush();
      batch.push(item);
      size += length;
    }
    flush();
    next = (items.at(-1)?.seq ?? next - 1) + 1;
  };

  const pump = async (): Promise<void> => {
    if (isPumping || isClosed) return;
    isPumping = true;
    try {
      const spool = sampler.spool();
      while (mayGo() && next < spool.next()) {
        const items = await spool.read(next, READ);
        const first = items[0];
        if (first === undefined || isClosed) break;
        if (first.at < since) {
          next = items.find(({ at }) => at >= since)?.seq ?? (items.at(-1)?.seq ?? next) + 1;
          acked = Math.max(acked, next); // nobody will
          continue;
        }
        send(items);
      }
      isInStep = hasSent && next === spool.next();
      if (!isInStep && !isClosed && !sink.hasRoom()) sink.whenRoom(() => void pump());
    } finally {
      isPumping = false;
    }
  };

  const leave = sampler.join((item) => {
    if (isInStep && item.seq === next && mayGo()) return send([item]);
    isInStep = false;
    void pump();
  });
  void pump();
  return {
    ack: (number) => {
      acked = Math.max(acked, Math.min(number, next));
      if (!isInStep) void pump();
    },
    close: () => {
      isClosed = true;
      leave();
    },
  };
}
