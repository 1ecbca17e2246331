/** What of ours a host has: its agents, their runs, and what an uninstall would take; reads only. */

import { z } from "zod";
import type { HostSpec } from "../../cluster/spec.ts";
import { callHelper } from "../reach/helper.ts";
import type { Transport } from "../reach/transport.ts";

/** Files that jobs wrote may have to be hashed to be told from ours. */
export const UNINSTALL_MS = 10 * 60_000;

const agentSchema = z.object({
  key: z.string(),
  pid: z.int(),
  bundle: z.string(),
  running: z.boolean(),
  /** Its directories are gone: nothing can reach it. */
  isLost: z.boolean().default(false),
  runs: z.array(z.object({ run: z.string(), live: z.boolean() })),
});
export type FoundAgent = z.infer<typeof agentSchema>;
const foundSchema = z.object({ agents: z.array(agentSchema) });

/** A machine may hold several: one for each entry with transport local, one for itself. */
export async function findAgents(transport: Transport, host: HostSpec): Promise<readonly FoundAgent[]> {
  const localName = host.transport === "local" ? host.name : "";
  return foundSchema.parse(await callHelper(transport, host.name, { op: "agents", localName })).agents;
}

export type UninstallWishes = { readonly purge: boolean; readonly force: boolean };

/** One entry with transport local goes alone; a host reached by SSH goes whole. */
export const uninstallRequest = (host: HostSpec, stateDir: string, wishes: UninstallWishes): object => ({
  stateDir,
  ...wishes,
  ...(host.transport === "local" ? { localName: host.name } : {}),
});

const planSchema = z.object({
  agents: z.array(z.string()),
  live: z.array(z.string()),
  remove: z.array(z.string()),
  left: z.array(z.string()),
  leftCount: z.int(),
  otherHosts: z.array(z.string()),
});
export type UninstallPlan = z.infer<typeof planSchema>;

export async function planUninstall(transport: Transport, host: HostSpec, stateDir: string, wishes: UninstallWishes): Promise<UninstallPlan> {
  const request = { op: "uninstall-plan", ...uninstallRequest(host, stateDir, wishes) };
  return planSchema.parse(await callHelper(transport, host.name, request, null, UNINSTALL_MS));
}
