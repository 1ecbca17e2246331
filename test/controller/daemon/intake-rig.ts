/** takeHost of one host between a keeper that a test drives, a journal that it reads and a log store on a real disk. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fail } from "../../../cluster/errors.ts";
import type { Command } from "../../../cluster/protocol.ts";
import type { HostSpec } from "../../../cluster/spec.ts";
import { type Entry, readFrom } from "../../../controller/daemon/entries.ts";
import { takeHost } from "../../../controller/daemon/intake.ts";
import type { JournalLine } from "../../../controller/daemon/journal.ts";
import type { HostListener, Keeper, Linked } from "../../../controller/daemon/keeper.ts";
import { openLogStore } from "../../../controller/daemon/log-store.ts";

export const RUN = "train_20260102_030405";
const HOST: HostSpec = { name: "h", transport: "ssh", address: "h", env: {}, gpus: { kind: "none", slots: 2 } };
export const OWN = [2, 3];

/** `key`: names its boot. */
export type Agent = { events: number; key?: string; refuses?: boolean; onSubscribe?: () => void };

/** takeHost between a keeper that a test drives and a journal that it reads. */
export function rig(dir: string, journal: JournalLine[] = []) {
  const logs = openLogStore(dir, (_, stream) => /^a1\/(rank[23]|launcher)\./.test(stream));
  const notices: string[] = [];
  const told: Buffer[] = [];
  const subscribed: { eventsFrom: number; cursors: Record<string, number> }[] = [];
  const acks: { events: number | undefined; cursors: Record<string, number> | undefined }[] = [];
  let listener: HostListener | undefined;
  let stage: "waiting" | "connected" | "drained" = "waiting";
  let isUp = false;
  const keeper: Keeper = {
    current: () => null,
    listen: (given) => {
      listener = given;
      return () => {
        listener = undefined;
      };
    },
    hurry: () => undefined,
    close: () => undefined,
  };
  const heard = (): HostListener => {
    assert.ok(listener !== undefined);
    return listener;
  };
  const drop = (): void => {
    if (isUp) {
      isUp = false;
      heard().lost("the link broke");
    }
  };
  const intake = takeHost({
    host: HOST,
    run: RUN,
    keeper,
    connectMs: 1000,
    lent: { env: {}, agentSocket: null, acceptNewHostKeys: false },
    logs,
    ...readFrom(journal, HOST.name),
    record: () => ({ run: RUN, epoch: 1, controller: "c", seq: 1, spec: {}, state: {} }),
    apply: (...entries: readonly Entry[]) => {
      for (const entry of entries) {
        journal.push({ i: journal.length, ...entry });
        if (entry.event.type === "host-connected") stage = "connected";
        if (entry.event.type === "host-drained") stage = "drained";
      }
      intake?.acknowledge();
    },
    onBytes: (_, __, data) => void told.push(Buffer.from(data)),
    notice: (text) => void notices.push(text),
    stage: () => stage,
    takenAgain: () => Promise.resolve(null),
    needsFacts: () => stage === "waiting",
    agent: () => {
      const last = journal.findLast(({ event }) => event.type === "host-connected" || event.type === "host-rebooted")?.event;
      return last !== undefined && "agent" in last ? last.agent : null;
    },
    bootOfDebt: () => null,
    attempt: () => 1,
    owns: (rank) => OWN.includes(rank),
    ready: () => undefined,
    lost: () => undefined,
  });
  const link = async (agent: Agent): Promise<void> => {
    drop();
    isUp = true;
    const command = (order: Command): Promise<unknown> => {
      if (agent.refuses) return Promise.reject(fail("FENCED", { run: RUN, epoch: 9, by: "x" }));
      if (order.do === "adopt") return Promise.resolve({ events: agent.events });
      if (order.do === "subscribe") subscribed.push({ eventsFrom: order.eventsFrom, cursors: order.cursors });
      if (order.do === "subscribe") agent.onSubscribe?.();
      return Promise.resolve(null);
    };
    const linked = {
      transport: { driver: "ssh2", why: "", address: "h" },
      link: {
        welcome: { dirs: { bundle: "/b", state: "/s", runtime: "/r" } },
        command,
        ack: (_: string, events: number | undefined, cursors: Record<string, number> | undefined) => void acks.push({ events, cursors }),
        close: drop,
      },
      facts: {},
      agent: { key: agent.key ?? "k", bundle: "b", pid: 1 },
    } as unknown as Linked;
    heard().linked(linked);
    await new Promise((resolve) => setImmediate(resolve));
  };
  const close = (): void => {
    intake.dispose();
    logs.close();
  };
  return { journal, notices, told, subscribed, acks, logs, intake, link, drop, close, isUp: () => isUp, heard };
}

export async function inDir(body: (dir: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "intake-"));
  try {
    await body(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}
