/** A controller that tells a story over the real socket: its events, its lines, its samples; and what it was asked. */

import type { Socket } from "node:net";
import type { TestContext } from "node:test";
import type { RunEvent } from "../../../cluster/run/events.ts";
import { replay } from "../../../cluster/run/reduce.ts";
import type { LogLine, SamplesAnswer } from "../../../cluster/viewer.ts";
import { type Asked, type FakeController, fakeController } from "../../support/fake-controller.ts";
import { endPrograms } from "./emulator.ts";
import { eventsUpTo, sampleOf, specOf, summaryOf, trainingLines } from "./stories.ts";

export type ToldRun = FakeController & {
  readonly run: string;
  readonly tellEvents: (events: readonly RunEvent[]) => void;
  readonly tellLines: (lines: readonly LogLine[]) => void;
  readonly endWatch: () => void;
  /** All who are connected are cut off; who comes again is answered. */
  readonly cutAll: () => void;
};

export async function toldRun(t: TestContext, spec = specOf(4)): Promise<ToldRun> {
  t.after(endPrograms);
  const events = eventsUpTo(spec, "running");
  const lines = trainingLines(spec, Date.now());
  const watches: Asked[] = [];
  const sockets = new Set<Socket>();
  const fake = await fakeController(t, (asked) => {
    const { request, socket } = asked;
    sockets.add(socket);
    switch (request.ask) {
      case "runs":
        return asked.end([summaryOf(spec, events)]);
      case "up":
        return asked.end({ run: spec.run });
      case "run":
        return asked.end({ state: replay(events), events: events.length, dir: "", wroteAt: null, pace: null, notes: [] });
      case "watch":
        watches.push(asked);
        for (const [index, event] of events.entries()) if (index >= request.from) asked.item({ kind: "event", index, event });
        if (request.logs) for (const line of lines) asked.item({ kind: "line", line });
        return;
      case "samples": {
        const now = Date.now();
        const answer: SamplesAnswer = {
          state: replay(events),
          now,
          hosts: spec.hosts.map(({ name }, k) => ({ host: name, at: now, heardAt: now, sample: sampleOf(name, k, Math.floor(now / 1000) % 3600) })),
          totals: { gpuHours: 1, energyKwh: 1, measuredShare: 1 },
        };
        return asked.end(answer);
      }
      default:
        return asked.end(null);
    }
  });
  return {
    ...fake,
    run: spec.run,
    tellEvents: (more) => {
      for (const event of more) {
        for (const watch of watches) watch.item({ kind: "event", index: events.length, event });
        events.push(event);
      }
    },
    tellLines: (more) => {
      for (const watch of watches) for (const line of more) watch.item({ kind: "line", line });
    },
    endWatch: () => {
      for (const watch of watches) watch.end(null);
    },
    cutAll: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}
