/** A host's own network: the interface that its ranks use, what the file's variables name, its speed and its errors. */

import { NexaError } from "../../errors.ts";
import { chooseInterface } from "../../launch/interface.ts";
import type { HostSpec } from "../../spec.ts";
import type { Check, ClusterCheck, DiagContext, HostCheck, HostProbe } from "../check.ts";
import { compare } from "../compare.ts";
import { on, steps } from "../cure.ts";
import { failed, filesOf, notLooked, pass, warn } from "../read.ts";

const base = { group: "network", tier: "quick", needs: [] } as const;

const chosenFor = (probe: HostProbe, host: HostSpec, { addresses }: DiagContext) =>
  chooseInterface(host, probe.facts, addresses?.[host.name] ?? [host.address]);

const listOf = ({ facts }: HostProbe): string => facts.interfaces.flatMap(({ name }) => (name === "lo" ? [] : [name])).join(", ") || "none";

const iface: HostCheck = {
  ...base,
  scope: "host",
  id: "net.iface",
  title: "the interface of the ranks",
  why: "NCCL and Gloo talk by this interface only",
  fix: on("ip -br addr", "name the one that holds the address of {host} as `interface` in the file; it is down: sudo ip link set NAME up"),
  who: "you",
  verify: on("ip -br addr"),
  isBlocking: true,
  proof: "broken",
  judge: (probe, host, context) => {
    if (context.spec.hosts.length === 1 && host.interface === undefined) return pass("one host needs none");
    const choice = chosenFor(probe, host, context);
    if (!choice.ok) {
      const { message, hint, code } = choice.error instanceof NexaError ? choice.error : { message: String(choice.error), hint: "", code: "" };
      const words = { fix: hint };
      return code === "INTERFACE_MISSING" ? failed(message, { words }) : warn(message, { words });
    }
    const found = probe.facts.interfaces.find(({ name }) => name === choice.name);
    if (found === undefined)
      return failed(`there is no interface ${choice.name}: ${listOf(probe)}`, {
        words: { fix: `name one of these as \`interface\` of ${host.name}: ${listOf(probe)}` },
      });
    if (!found.up) return failed(`${found.name} is down`, { expected: "up", words: { interface: found.name, fix: on("sudo ip link set {interface} up") } });
    if (found.addresses.length === 0)
      return failed(`${found.name} has no address`, {
        words: { fix: on("ip -br addr", `name another \`interface\` for ${host.name}, or give ${found.name} an address`) },
      });
    return pass(`${choice.name}: ${choice.why}`);
  },
};

/** NCCL: "=" exact, "^" none of these, else prefixes; a comma separates, ":port" may follow. Gloo and TensorPipe: exact names. */
function matches(variable: string, value: string, names: readonly string[]): boolean {
  const isNot = value.startsWith("^");
  const isExact = /^\^?=/.test(value) || !variable.startsWith("NCCL_");
  const wanted = value
    .replace(/^\^?=?/, "")
    .split(",")
    .map((word) => word.trim().replace(/:\d+$/, ""))
    .filter((word) => word !== "");
  const fits = (name: string): boolean => wanted.some((word) => (isExact ? name === word : name.startsWith(word)));
  // What is excluded need not be there, but something must be left.
  if (isNot) return names.some((name) => name !== "lo" && !fits(name));
  return isExact && !variable.startsWith("NCCL_") ? wanted.every((word) => names.includes(word)) : names.some(fits);
}

const SOCKET_NAMES = ["NCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME", "TP_SOCKET_IFNAME"];

const ifaceVariables: HostCheck = {
  ...base,
  scope: "host",
  id: "net.iface_env",
  title: "interfaces that variables name",
  why: "a name that is not on the host ends every rank there, or leaves it on its loopback",
  fix: steps("grep -n {variable} {file}  # take it out: ranks are told the interface that holds the host's address", "# or name one of {host}: {there}"),
  who: "you",
  verify: "nexadist up --dry-run",
  isBlocking: true,
  proof: "broken",
  judge: (probe, host, { spec }) => {
    const names = probe.facts.interfaces.map(({ name }) => name);
    const set = SOCKET_NAMES.flatMap((name) => {
      const value = host.env[name] ?? spec.env[name];
      return value === undefined || value === "" ? [] : [{ name, value }];
    });
    const bad = set.filter(({ name, value }) => !matches(name, value, names));
    const [first] = bad;
    if (first === undefined) return pass(set.length === 0 ? "none is set in the file" : set.map(({ name, value }) => `${name}=${value}`).join(", "));
    return failed(bad.map(({ name, value }) => `${name} is "${value}", which fits none of ${listOf(probe)}`).join("; "), {
      words: { variable: first.name, there: listOf(probe) },
    });
  },
};

/** Mbit/s. A wired link of a training host that is slower has a bad pair in its cable or a port set wrong. */
const SLOWEST = 1000;

/** Nothing where it cannot be read: then that host is not judged, the others are. */
function linkOf(probe: HostProbe, name: string, what: "speed" | "duplex"): string | undefined {
  try {
    return filesOf(probe, "net_links").get(`/sys/class/net/${name}/${what}`)?.trim();
  } catch {
    return undefined;
  }
}

const speedOf = (probe: HostProbe, name: string): number | null => {
  const text = linkOf(probe, name, "speed");
  // Virtual interfaces and unplugged ones say -1, or refuse.
  return text !== undefined && /^\d+$/.test(text) && Number(text) > 0 ? Number(text) : null;
};

const linkSpeed: ClusterCheck = {
  ...base,
  scope: "cluster",
  id: "net.linkspeed",
  title: "the speed of links",
  why: "a link that fell to a lower speed slows all hosts",
  fix: on("sudo ethtool {interface}", "Speed and Duplex; change the cable or the switch's port"),
  who: "admin",
  verify: on("cat /sys/class/net/{interface}/speed"),
  isBlocking: false,
  proof: "unproven",
  judge: (probes, context) => {
    const links = probes.flatMap((probe) => {
      const host = context.spec.hosts.find(({ name }) => name === probe.host);
      const choice = host === undefined ? null : chosenFor(probe, host, context);
      if (choice === null || !choice.ok) return [];
      const speed = speedOf(probe, choice.name);
      const isHalf = linkOf(probe, choice.name, "duplex") === "half";
      return speed === null ? [] : [{ host: probe.host, name: choice.name, speed, isHalf }];
    });
    if (links.length === 0) throw notLooked("no interface tells its speed (virtual ones have none)");
    const most = compare(links.map(({ host, speed }) => ({ host, value: String(speed) })));
    const silent = probes.filter(({ host }) => !links.some((link) => link.host === host));
    return [
      ...silent.map(({ host }) => ({ host, status: "skip" as const, observed: "its interface does not tell its speed" })),
      ...links.map(({ host, name, speed, isHalf }) => {
        const words = { interface: name };
        const isOdd = most !== null && Number(most.usual) > speed;
        const isBad = isHalf || speed < SLOWEST;
        const expected = isOdd ? `${most.usual} Mbit/s as most hosts` : `${SLOWEST} Mbit/s or more, full duplex`;
        const observed = `${name} at ${speed} Mbit/s${isHalf ? ", half duplex" : ""}`;
        return isBad || isOdd
          ? { host, status: isBad ? ("fail" as const) : ("warn" as const), observed, expected, words }
          : { host, status: "pass" as const, observed };
      }),
    ];
  },
};

/** Of all packets since the start of the host. */
const ERROR_SHARE = 1e-4;

const errors: HostCheck = {
  ...base,
  scope: "host",
  tier: "full",
  id: "net.errors",
  title: "errors of the interface",
  why: "each lost packet stalls a collective for a retransmission",
  fix: steps(on("ethtool -S {interface} | grep -iE 'err|drop|crc'", "crc means cable or port"), on("sudo ethtool -G {interface} rx 4096", "where it is drops")),
  who: "root",
  verify: on("ip -s link show dev {interface}"),
  isBlocking: false,
  proof: "unproven",
  judge: (probe, host, context) => {
    const choice = chosenFor(probe, host, context);
    if (!choice.ok) throw notLooked("its interface is not known");
    const files = filesOf(probe, "net_counters");
    const count = (name: string): number => {
      const text = files.get(`/sys/class/net/${choice.name}/statistics/${name}`)?.trim() ?? "";
      if (!/^\d+$/.test(text)) throw notLooked(`${choice.name} does not count ${name}`);
      return Number(text);
    };
    const packets = count("rx_packets") + count("tx_packets");
    const bad = count("rx_errors") + count("tx_errors");
    const observed = `${choice.name}: ${bad} errors in ${packets} packets`;
    return bad > packets * ERROR_SHARE && bad > 10 ? warn(observed, { words: { interface: choice.name } }) : pass(observed);
  },
};

export const NETWORK: readonly Check[] = [iface, ifaceVariables, linkSpeed, errors];
