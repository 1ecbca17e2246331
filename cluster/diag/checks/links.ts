/** The links between hosts: does anything get through, to which ports, how soon, how large, by which interface, how much. */

import { quote } from "../../launch/quote.ts";
import type { DiagContext, PairCheck, PairProbe } from "../check.ts";
import { names } from "../compare.ts";
import { on, steps } from "../cure.ts";
import { slowOf } from "../pairs/bandwidth.ts";
import { between, judgeWays, type PairJudgement } from "../pairs/blame.ts";

const base = { group: "network", tier: "quick", scope: "pair", needs: [], proof: "broken", who: "root" } as const;

/** ms. Beyond it plain data parallelism waits more than it computes, whatever the bandwidth. */
const FAR_MS = 10;

const isDead = (pair: PairProbe): boolean | null => (pair.ports.length === 0 ? null : pair.isAnswering !== true);

const openOf = (pair: PairProbe, kind: "rdzv" | "ephemeral"): { readonly open: number; readonly all: number } => {
  const mine = pair.ports.filter((port) => port.kind === kind);
  return { open: mine.filter(({ outcome }) => outcome === "open").length, all: mine.length };
};

/** Ways on which nothing gets through are net.reach's. */
const lacksEphemeral = (pair: PairProbe): boolean | null => {
  const { open, all } = openOf(pair, "ephemeral");
  return isDead(pair) !== false || all === 0 ? null : open < all;
};

const OUTCOME = { open: "open", refused: "refused", timeout: "no answer", unreachable: "no route", busy: "busy", other: "not ours" } as const;

/** "no answer", "refused": what became of the ports that were not open. */
function outcomes(bad: readonly PairProbe[], kind: "rdzv" | "ephemeral"): string {
  const found = bad.flatMap(({ ports }) => ports.filter((port) => port.kind === kind && port.outcome !== "open"));
  return [...new Set(found.map(({ outcome, detail }) => detail ?? OUTCOME[outcome]))].join(", ");
}

/** Addresses that must be let in: what those who knocked are called by the one at whose door it was. */
function callers(pairs: readonly PairProbe[], bad: readonly PairProbe[]): readonly string[] {
  return [...new Set(bad.map(({ from, to }) => pairs.find((pair) => pair.from === to && pair.to === from)?.address ?? from))];
}

const allow = (addresses: readonly string[], port = ""): string =>
  addresses
    .slice(0, 8)
    .map((address) => `sudo ufw allow proto tcp from ${quote(address)} to any${port === "" ? "" : ` port ${port}`}`)
    .join(" && ");

/** At each door those who knocked there in vain. */
const letIn = (pairs: readonly PairProbe[], bad: readonly PairProbe[]): readonly string[] =>
  [...new Set(bad.map(({ to }) => to))].map((host) =>
    on(
      allow(
        callers(
          pairs,
          bad.filter(({ to }) => to === host),
        ),
      ),
      "",
      { host },
    ),
  );

function judgeRendezvous(pairs: readonly PairProbe[], { spec }: DiagContext): readonly PairJudgement[] {
  const own = pairs.flatMap(({ from, to, ports }) => (from === to ? ports.filter(({ kind }) => kind === "rdzv").map((port) => ({ host: from, ...port })) : []));
  const taken = own.filter(({ outcome }) => outcome !== "open");
  // A port of the range that happens to be taken is no matter: another one will be.
  const run = taken.map(({ detail = "" }) => /^nexadist run (\S+)/.exec(detail)?.[1]).find((name) => name !== undefined);
  if (run !== undefined && spec.rdzv?.port)
    return [{ host: taken[0]?.host ?? null, status: "skip", observed: `${run} is alive and has port ${spec.rdzv.port}: it was not tried` }];
  if (taken.length > 0 && spec.rdzv?.port) {
    return taken.map(({ host, port, outcome, detail = "" }) => ({
      host,
      status: "fail",
      observed: outcome === "busy" ? `port ${port} is in use by ${detail}` : `port ${port} cannot be listened on: ${detail}`,
      words: { port: String(port), fix: on("sudo ss -ltnp 'sport = :{port}'", "end what holds it, or drop `rdzv`: then a free port is taken") },
    }));
  }
  const [at] = own.filter(({ outcome }) => outcome === "open");
  if (at === undefined) return [];
  const isShut = (pair: PairProbe): boolean | null => {
    const { open, all } = openOf(pair, "rdzv");
    return all === 0 || isDead(pair) !== false ? null : open < all;
  };
  const tried = pairs.filter((pair) => isShut(pair) !== null);
  // Where no other port is open either, port.ephemeral says so.
  const shut = tried.filter((pair) => isShut(pair) === true && openOf(pair, "ephemeral").open > 0);
  const open = tried.filter((pair) => isShut(pair) === false).map(({ from }) => from);
  if (shut.length === 0) return open.length > 0 ? [{ host: at.host, status: "pass", observed: `port ${at.port}, reached from ${names(open)}` }] : [];
  const what = `port ${at.port} is not reached from ${names(shut.map(({ from }) => from))} (${outcomes(shut, "rdzv")})`;
  const range = spec.rdzvPorts === null ? "" : ` (rdzv_ports ${spec.rdzvPorts.join("-")})`;
  return [
    {
      host: at.host,
      ...(shut.length === 1 && open.length > 0 ? { peer: shut[0]?.from ?? "" } : {}),
      status: "fail",
      observed: `${what}; ${open.length === 0 ? "from no other host" : `reached from ${names(open)}`}${spec.rdzv?.port ? "" : range}`,
      words: { fix: on(allow(callers(pairs, shut), String(at.port)), "or name a port in `rdzv` that is open", { host: at.host }) },
    },
  ];
}

export const LINKS: readonly PairCheck[] = [
  {
    ...base,
    id: "net.reach",
    title: "the ways between hosts",
    why: "ranks talk to each other directly, whatever the controller reaches",
    fix: on("ip route get {address}; ping -c 3 {address}", "a firewall, NAT or a tailnet's policy between them?", { host: "{from}" }),
    who: "admin",
    verify: "nexadist diag --only net.reach",
    isBlocking: true,
    judge: (pairs) =>
      judgeWays(
        pairs,
        isDead,
        {
          status: "fail",
          observed: (bad) =>
            `nothing answers, neither SSH nor any other port (${[...new Set([outcomes(bad, "ephemeral"), outcomes(bad, "rdzv")])].filter(Boolean).join(", ")})`,
          words: (bad) => ({ address: bad[0]?.address ?? "", from: bad[0]?.from ?? "" }),
        },
        (good) => `${good.length} ways`,
      ),
  },
  {
    ...base,
    id: "port.rdzv",
    title: "the rendezvous port",
    why: "hosts meet there: without it every rank waits until it gives up",
    fix: steps(
      on("sudo ss -ltnp 'sport = :{port}'", "who holds it: end that, or drop `rdzv`: then a free one is taken"),
      "# not reached: let it in, there: sudo ufw allow proto tcp from ADDRESS to any port PORT",
    ),
    verify: "nexadist diag --only port.rdzv",
    isBlocking: true,
    judge: judgeRendezvous,
  },
  {
    ...base,
    id: "port.ephemeral",
    title: "fresh ports of the hosts",
    why: "NCCL and Gloo listen on ports that the kernel picks: they would hang after the rendezvous",
    fix: on("sudo ufw allow proto tcp from {address} to any", "for each of the others; in a cloud: a rule of the security group for itself"),
    verify: "nexadist diag --only port.ephemeral",
    isBlocking: true,
    judge: (pairs) =>
      judgeWays(
        pairs,
        lacksEphemeral,
        {
          status: "fail",
          observed: (bad) => {
            const open = Math.max(...bad.map((pair) => openOf(pair, "ephemeral").open));
            return `${open === 0 ? "no" : `${open} of ${openOf(bad[0] ?? NONE, "ephemeral").all}`} fresh ports reached (${outcomes(bad, "ephemeral")})`;
          },
          expected: "every TCP port open between the hosts",
          words: (bad) => ({ fix: steps(...letIn(pairs, bad), "# in a cloud: a rule of the security group for itself") }),
        },
        (good) => `${good.length} ways, ${openOf(good[0] ?? NONE, "ephemeral").all} ports each`,
      ),
  },
  {
    ...base,
    id: "net.latency",
    title: "the latency between hosts",
    why: "every collective waits for several of them",
    fix: steps(
      on("ip route get {address}", "Wi-Fi, VPN or relay? use the hosts' LAN addresses", { host: "{from}" }),
      "# far apart: fewer, larger syncs (gradient accumulation)",
    ),
    who: "admin",
    proof: "unproven",
    verify: "nexadist diag --only net.latency",
    isBlocking: false,
    judge: (pairs) => {
      const isFar = (pair: PairProbe): boolean | null => (pair.latencyMs === null ? null : pair.latencyMs.lost > 0 || pair.latencyMs.p50 > FAR_MS);
      const observed = (bad: readonly PairProbe[]): string => {
        const lost = bad.filter(({ latencyMs }) => (latencyMs?.lost ?? 0) > 0).length;
        const most = Math.max(...bad.map(({ latencyMs }) => latencyMs?.p50 ?? 0));
        return lost > 0 ? `small messages did not come back within 2 s on ${lost} of ${bad.length} ways` : `${most.toFixed(1)} ms there and back`;
      };
      const words = (bad: readonly PairProbe[]) => ({ address: bad[0]?.address ?? "", from: bad[0]?.from ?? "" });
      return judgeWays(pairs, isFar, { status: "warn", observed, expected: `at most ${FAR_MS} ms`, words }, latencies);
    },
  },
  {
    ...base,
    id: "net.mtu",
    title: "large packets between hosts",
    why: "SSH and the rendezvous work, and the first large tensor hangs",
    fix: on("sudo ip link set {interface} mtu {mtu}", "on every host; or let ICMP pass on what lies between: PMTU discovery needs it", { host: "{from}" }),
    verify: "nexadist diag --only net.mtu",
    isBlocking: true,
    judge: judgeMtu,
  },
  {
    ...base,
    id: "net.route",
    title: "the interface that traffic takes",
    why: "one way by one network and back by another is slow, or is dropped",
    fix: "name the interface that the route takes for {host} in the file (interface: {interface}), or give its address on {wanted} as `address` of the peers",
    who: "you",
    verify: on("ip route get {address}"),
    isBlocking: false,
    proof: "broken",
    judge: (pairs) => {
      const isOther = ({ route }: PairProbe): boolean | null =>
        route?.wanted === undefined || route.interface === "" ? null : route.interface !== route.wanted;
      const other = between(pairs).filter((pair) => isOther(pair) === true);
      const fine = between(pairs).filter((pair) => isOther(pair) === false);
      if (other.length === 0) return fine.length === 0 ? [] : [{ host: null, status: "pass", observed: `${fine.length} ways` }];
      return [...new Set(other.map(({ from }) => from))].map((host) => {
        const mine = other.filter(({ from }) => from === host);
        const { interface: taken = "", wanted = "" } = mine[0]?.route ?? {};
        return {
          host,
          status: "warn",
          observed: `to ${names(mine.map(({ to }) => to))} by ${taken}, its ranks are told ${wanted}`,
          words: { interface: taken, wanted, address: mine[0]?.address ?? "" },
        };
      });
    },
  },
  {
    ...base,
    id: "net.bandwidth",
    tier: "full",
    title: "the bandwidth between hosts",
    why: "a ring goes at the pace of its slowest way",
    fix: steps(on("ethtool {interface}; ethtool -S {interface} | grep -i err", "cable, switch port?"), on("tc qdisc show dev {interface}", "a limit?")),
    verify: "nexadist diag --full --only net.bandwidth",
    isBlocking: false,
    judge: (pairs) => {
      const measured = between(pairs).filter(({ bandwidth }) => bandwidth !== null);
      const slow = slowOf(new Map(measured.map((pair) => [pair, pair.bandwidth ?? 0])));
      const observed = (bad: readonly PairProbe[]): string => `at most ${gigabits(Math.max(...bad.map(({ bandwidth }) => bandwidth ?? 0)))}`;
      const words = (bad: readonly PairProbe[]) => ({ interface: bad[0]?.route?.interface ?? "" });
      const wording = {
        status: "fail",
        observed,
        expected: "half of what the others have, or more",
        words,
        unmeasured: "no connection, no time, or a run is alive there",
      } as const;
      return judgeWays(
        pairs,
        (pair) => (pair.bandwidth === null ? null : slow.has(pair)),
        wording,
        (good) => {
          const all = good.map(({ bandwidth }) => bandwidth ?? 0);
          return `${good.length} ways, ${gigabits(Math.min(...all))} to ${gigabits(Math.max(...all))}`;
        },
      );
    },
  },
];

const NONE: PairProbe = { from: "", to: "", ports: [], latencyMs: null, bandwidth: null, mtu: null, route: null };

export const gigabits = (bitsPerS: number): string => (bitsPerS < 1e9 ? `${(bitsPerS / 1e6).toFixed(0)} Mbit/s` : `${(bitsPerS / 1e9).toFixed(1)} Gbit/s`);

function latencies(good: readonly PairProbe[]): string {
  const all = good.map(({ latencyMs }) => latencyMs?.p50 ?? 0);
  return `${good.length} ways, ${Math.min(...all).toFixed(2)} to ${Math.max(...all).toFixed(2)} ms`;
}

/** A black hole is where large writes stall; where TCP finds a smaller size, the two ends are only unlike. */
function judgeMtu(pairs: readonly PairProbe[]): readonly PairJudgement[] {
  const isHole = (pair: PairProbe): boolean | null => (pair.bigWrites === undefined || pair.bigWrites === null ? null : pair.bigWrites === "stalled");
  const sizes = (bad: readonly PairProbe[]): readonly number[] => bad.flatMap(({ mtu }) => (mtu === null ? [] : [mtu.path]));
  const words = (bad: readonly PairProbe[]): Readonly<Record<string, string>> => {
    const mtu = Math.min(1280, ...sizes(bad));
    // At both ends of a way: what comes back must fit as well.
    const isMine = ({ from }: PairProbe): boolean => bad.some((pair) => pair.from === from || pair.to === from);
    const ends = new Map(
      pairs.flatMap((pair) => (pair.route && pair.route.interface !== "" && isMine(pair) ? [[pair.from, pair.route.interface] as const] : [])),
    );
    const lines = [...ends].map(([host, name]) => on(`sudo ip link set ${quote(name)} mtu ${mtu}`, "", { host }));
    return lines.length === 0 ? {} : { fix: steps(...lines, "# until the next boot; or let ICMP pass on what lies between: PMTU discovery needs it") };
  };
  const observed = (bad: readonly PairProbe[]): string => {
    const [path] = sizes(bad);
    return `64 KiB never arrive, small messages do${path === undefined ? "" : `; packets of up to ${path} bytes pass, the interface sends ${bad[0]?.mtu?.interface}`}`;
  };
  const holes = judgeWays(pairs, isHole, { status: "fail", observed, words }, (good) => `${good.length} ways, 64 KiB whole`);
  if (holes.some(({ status }) => status === "fail")) return holes;
  const isUnlike = ({ mtu, bigWrites }: PairProbe): boolean => bigWrites === "through" && mtu !== null && mtu.path < Math.min(mtu.interface, 65_535);
  const unlike = judgeWays(
    pairs,
    (pair) => (isHole(pair) === null ? null : isUnlike(pair)),
    { status: "warn", observed: (bad) => `packets of more than ${Math.max(...sizes(bad))} bytes are lost, TCP makes do with smaller ones`, words },
    () => "",
  );
  return unlike.some(({ status }) => status === "warn") ? unlike : holes;
}
