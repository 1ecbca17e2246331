/** Hosts whose addresses are of a tailnet: are they on it, by a device that NCCL can bind, and do packets go straight. */

import type { HostSpec } from "../../spec.ts";
import { isTailnetAddress } from "../../tailscale/addresses.ts";
import { readPing } from "../../tailscale/ping.ts";
import { readStatus, type TailscaleStatus } from "../../tailscale/status.ts";
import type { Check, DiagContext, HostCheck, HostProbe, PairCheck, PairProbe } from "../check.ts";
import { on } from "../cure.ts";
import { between, judgeWays } from "../pairs/blame.ts";
import { cannotSay, failed, notLooked, pass, said, textOf, warn } from "../read.ts";

const base = { group: "network", tier: "quick", needs: [], proof: "sample" } as const;

const DAY_MS = 86_400_000;
const SOON_DAYS = 7;

/** Ends the judge where it does not apply or cannot be read. */
function statusOf(probe: HostProbe, host: HostSpec, { addresses }: DiagContext): TailscaleStatus {
  if (![host.address, ...(addresses?.[host.name] ?? [])].some(isTailnetAddress)) throw notLooked("no address of a tailnet (100.64.0.0/10) is used");
  const text = textOf(probe, "tailscale");
  const status = readStatus(text);
  if (status === null) throw cannotSay(`tailscale status --json: ${said(text)}`);
  return status;
}

const state: HostCheck = {
  ...base,
  scope: "host",
  id: "ts.state",
  title: "the tailnet of the host",
  why: "its peers know it by an address of the tailnet",
  fix: on("sudo tailscale up", "for servers also: Machines > {host} > Disable key expiry, in the admin console"),
  who: "root",
  verify: on("tailscale status"),
  isBlocking: true,
  judge: (probe, host, context) => {
    const found = statusOf(probe, host, context);
    const evidence = found.health.slice(0, 3);
    if (found.state !== "Running") return failed(`tailscale is ${found.state}`, { expected: "Running", evidence });
    if (found.isOnline === false) return failed("tailscale is running, and not online", { evidence });
    const days = found.keyExpiresAt === null ? Number.POSITIVE_INFINITY : (found.keyExpiresAt - context.now) / DAY_MS;
    if (days < SOON_DAYS)
      return warn(`its key expires in ${Math.max(0, days).toFixed(1)} days: then the host is cut off`, { expected: `${SOON_DAYS} days or more` });
    return evidence.length > 0 ? warn(`tailscale complains: ${evidence[0]}`, { evidence }) : pass("Running");
  },
};

const tun: HostCheck = {
  ...base,
  scope: "host",
  id: "ts.tun",
  title: "the interface of the tailnet",
  why: "in userspace networking SSH works, and NCCL and Gloo can never bind or reach such an address",
  fix: "give the host or container a device: docker run --device /dev/net/tun --cap-add NET_ADMIN, and start tailscaled without --tun=userspace-networking",
  who: "root",
  verify: on("ip -br addr show tailscale0"),
  isBlocking: true,
  judge: (probe, host, context) => {
    const found = statusOf(probe, host, context);
    if (found.hasTun === false) return failed("tailscaled runs in userspace networking: there is no interface");
    const holder = probe.facts.interfaces.find(({ addresses }) => addresses.some((address) => found.addresses.includes(address)));
    if (holder !== undefined) return pass(holder.name);
    if (found.state !== "Running") throw notLooked(`tailscale is ${found.state}`);
    return failed(`no interface holds ${found.addresses[0] ?? "an address of the tailnet"}`);
  },
};

const HAS_RELAY =
  "open UDP 41641 to one of the two, or switch on NAT-PMP or UPnP in the router; hosts of one LAN: give their LAN addresses in the file. See: tailscale netcheck";

const path: PairCheck = {
  ...base,
  scope: "pair",
  id: "ts.path",
  title: "the way of packets in the tailnet",
  why: "a relay carries some ten Mbit/s, for all who use it",
  fix: HAS_RELAY,
  who: "admin",
  verify: on("tailscale ping {address}"),
  isBlocking: true,
  judge: (pairs) => {
    const asked = between(pairs).filter(({ tailscalePing }) => tailscalePing !== undefined);
    if (asked.length === 0) return [];
    const pathOf = ({ tailscalePing = "" }: PairProbe) => readPing(tailscalePing);
    const by = (kind: string) => (pair: PairProbe) => (pathOf(pair) === null ? null : pathOf(pair)?.kind === kind);
    const words = (bad: readonly PairProbe[]) => ({ address: bad[0]?.address ?? "" });
    const viaOf = (bad: readonly PairProbe[]): string => {
      const found = bad[0] === undefined ? null : pathOf(bad[0]);
      return found !== null && "via" in found ? `${found.via}, ${found.ms.toFixed(0)} ms` : "";
    };
    const derp = judgeWays(
      asked,
      by("derp"),
      {
        status: "fail",
        observed: (bad) => `only by a relay of Tailscale's, DERP (${viaOf(bad)})`,
        words,
        unmeasured: "tailscale ping said nothing that is understood",
      },
      (good) => `${good.length} ways straight`,
    );
    const relay = judgeWays(
      asked,
      by("peer-relay"),
      { status: "warn", observed: (bad) => `by a relay of your own (${viaOf(bad)}): its bandwidth is theirs`, words },
      () => "",
    );
    // A pong may be missing where TCP goes through: net.reach says what does not.
    const worse = [...derp, ...relay].filter(({ status }) => status === "fail" || status === "warn");
    return worse.length > 0 ? [...worse, ...derp.filter(({ status }) => status === "skip")] : derp;
  },
};

export const TAILSCALE: readonly Check[] = [state, tun, path];
