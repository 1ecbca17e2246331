/** What a controller asks an agent for to bring one rank about. */

import type { AgentEvent } from "../../cluster/protocol.ts";
import type { Receipt } from "../../cluster/shim-contract.ts";
import { type Client, record, type TestAgent } from "../support/agent.ts";

export type Shape = { readonly run: string; readonly agent: TestAgent };

export async function prepare(client: Client, agent: Pick<TestAgent, "home">, run: string, epoch: number): Promise<void> {
  await client.as(run, epoch, { do: "adopt", record: record(run, epoch, "c1", 15) });
  await client.as(run, epoch, { do: "subscribe", eventsFrom: 0, cursors: {} });
  const none = { python: null, setup: null, secrets: {}, scratch: null, ranks: [0], inPlace: null, hashScript: null };
  await client.as(run, epoch, { do: "prepare", ...none, sessionEnv: { PATH: process.env.PATH ?? "", HOME: agent.home } });
}

export const armOf = (run: string, epoch: number) => ({
  do: "arm" as const,
  record: record(run, epoch, "c1", 10),
  attempt: 1,
  host: "a",
  ports: [0],
  portRange: [20000, 29999] as [number, number],
  mark: `t/${run}/1/a`,
  quotaBytes: 1 << 30,
});

export const launchOf = (agent: Pick<TestAgent, "home">, run: string, epoch: number, script: string) => ({
  do: "launch" as const,
  record: record(run, epoch, "c1", 11),
  attempt: 1,
  unset: [],
  ranks: 1,
  stopGraceMs: 1000,
  spawns: [{ role: "rank" as const, rank: 0, localRank: 0, argv: ["/bin/sh", "-c", script], env: {}, cwd: agent.home }],
});

export const typesOf = (events: readonly AgentEvent[]): string[] => events.map(({ event }) => event.type);

export async function endedOf(client: Client): Promise<Receipt> {
  const { event } = await client.until((one) => one.event.type === "ended" || one.event.type === "shim-lost", "the end");
  if (event.type !== "ended" && event.type !== "shim-lost") throw new Error(event.type);
  return event.receipt;
}
