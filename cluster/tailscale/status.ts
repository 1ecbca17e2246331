/** `tailscale status --json`: what of it says whether this host is on its tailnet. Every list and object of it may be null. */

import * as z from "zod";

const peer = z.looseObject({ Online: z.boolean().nullish(), KeyExpiry: z.string().nullish(), DNSName: z.string().nullish() });
const status = z.looseObject({
  BackendState: z.string(),
  /** Absent before 1.8; false: userspace networking. */
  TUN: z.boolean().nullish(),
  TailscaleIPs: z.array(z.string()).nullish(),
  Health: z.array(z.string()).nullish(),
  Self: peer.nullish(),
});

export type TailscaleStatus = {
  readonly state: string;
  readonly hasTun: boolean | null;
  readonly addresses: readonly string[];
  readonly health: readonly string[];
  readonly isOnline: boolean | null;
  /** ms since epoch; null: the key does not expire, or nobody is logged in. */
  readonly keyExpiresAt: number | null;
};

/** null: it is none. */
export function readStatus(text: string): TailscaleStatus | null {
  const parsed = status.safeParse(parseJson(text));
  if (!parsed.success) return null;
  const { BackendState, TUN, TailscaleIPs, Health, Self } = parsed.data;
  const expiry = Date.parse(Self?.KeyExpiry ?? "");
  return {
    state: BackendState,
    hasTun: TUN ?? null,
    addresses: TailscaleIPs ?? [],
    health: Health ?? [],
    isOnline: Self?.Online ?? null,
    keyExpiresAt: Number.isFinite(expiry) && expiry > 0 ? expiry : null,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
