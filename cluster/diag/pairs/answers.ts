/** What python/probe_peer.py says, checked: it comes from a machine that may be broken. */

import { z } from "zod";

const outcome = z.enum(["open", "refused", "timeout", "unreachable", "busy", "other"]);
const kind = z.enum(["rdzv", "ephemeral"]);
const detail = z.string().max(300).optional();

export const listening = z.object({
  /** Empty: it holds none of the addresses that it was told. */
  address: z.string(),
  ports: z.array(z.object({ kind, port: z.int().min(0).max(65_535), outcome, detail })),
  /** 0: no port for datagrams could be had. */
  udp: z.int().min(0).max(65_535),
});
export type Listening = z.infer<typeof listening>;

export const reached = z.object({
  ports: z.array(
    z.object({
      to: z.string(),
      /** ssh: only whether anything answers there. */
      kind: z.enum(["rdzv", "ephemeral", "ssh"]),
      port: z.int(),
      outcome,
      ms: z.number().nonnegative(),
      detail,
      /** Somebody accepted, though it is not our peer. */
      isAnswered: z.boolean().optional(),
    }),
  ),
});
export type Reached = z.infer<typeof reached>["ports"][number];

export const measured = z.object({
  peers: z.array(
    z.object({
      to: z.string(),
      why: z.string().max(300).optional(),
      route: z.object({ interface: z.string(), source: z.string(), mtu: z.int() }).nullish(),
      latencyMs: z.object({ p50: z.number().nonnegative(), max: z.number().nonnegative(), lost: z.int().nonnegative() }).nullish(),
      mtu: z.object({ path: z.int().positive(), interface: z.int().positive() }).nullish(),
      bigWrites: z.enum(["through", "stalled"]).nullish(),
      bandwidth: z.number().nonnegative().nullish(),
      tailscalePing: z.string().max(5000).nullish(),
    }),
  ),
});
export type Measured = z.infer<typeof measured>["peers"][number];
