/** What is said of a host's own network: interfaces that are named, those that variables name, speed and errors. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { DiagContext, HostProbe } from "../../../cluster/diag/check.ts";
import { NETWORK } from "../../../cluster/diag/checks/network.ts";
import { judgeHosts } from "../../../cluster/diag/judge.ts";
import type { HostSpec, RunSpec } from "../../../cluster/spec.ts";

type World = {
  readonly host?: Partial<HostSpec>;
  readonly env?: Readonly<Record<string, string>>;
  readonly up?: boolean;
  readonly files?: Readonly<Record<string, string>>;
  readonly counters?: Readonly<Record<string, string>>;
};

const LINK = { "/sys/class/net/eth0/speed": "10000\n", "/sys/class/net/eth0/duplex": "full\n" };
const COUNTERS = Object.fromEntries(
  ["rx_packets", "tx_packets", "rx_errors", "tx_errors"].map((name, k) => [`/sys/class/net/eth0/statistics/${name}`, k < 2 ? "1000000\n" : "0\n"]),
);

function judge(worlds: readonly World[]): readonly string[] {
  const hosts = worlds.map(
    ({ host }, k): HostSpec => ({ name: `h${k}`, address: `10.0.0.${k + 1}`, transport: "ssh", env: {}, gpus: { kind: "auto" }, ...host }),
  );
  const context = { spec: { hosts, env: worlds[0]?.env ?? {} } as unknown as RunSpec, tier: "full", now: 0 } satisfies DiagContext;
  const looks = worlds.map(({ up = true, files = LINK, counters = COUNTERS }, k) => {
    const interfaces = [
      { name: "lo", mtu: 65_536, up: true, addresses: ["127.0.0.1"] },
      { name: "eth0", mtu: 1500, up, addresses: [`10.0.0.${k + 1}`] },
      { name: "ib0", mtu: 4092, up: true, addresses: [] },
    ];
    const section = (value: object) => ({ code: 0, out: JSON.stringify(value), err: "", ms: 1 });
    const probe: HostProbe = {
      host: `h${k}`,
      facts: { interfaces } as unknown as HostProbe["facts"],
      sections: { net_links: section(files), net_counters: section(counters) },
      clock: null,
    };
    return { host: hosts[k] as HostSpec, probe };
  });
  return judgeHosts(NETWORK, looks, context)
    .filter(({ status }) => status !== "pass")
    .map(({ id, status, host }) => `${status} ${id} ${host}`)
    .sort();
}

test("healthy: nothing", () => {
  assert.deepEqual(judge([{}, {}, {}]), []);
});

test("the interface: one that is not there, is down, has no address, or cannot be told", () => {
  assert.deepEqual(judge([{}, { host: { interface: "eth7" } }]), ["fail net.iface h1", "skip net.errors h1", "skip net.linkspeed h1"]);
  assert.deepEqual(judge([{}, { up: false }]), ["fail net.iface h1"]);
  assert.ok(judge([{}, { host: { interface: "ib0" } }]).includes("fail net.iface h1"));
  assert.ok(judge([{}, { host: { address: "192.0.2.9" } }]).includes("warn net.iface h1"));
  assert.ok(!judge([{ host: { address: "192.0.2.9" } }]).some((line) => line.includes("net.iface ")), "one host alone needs none");
});

test("variables: each library's own reading of names", () => {
  const isBad = (name: string, value: string): boolean => judge([{ env: { [name]: value } }]).includes("fail net.iface_env h0");
  for (const value of ["eth0", "=eth0", "eth", "eth0,ib0", "^docker", "^lo,docker", "eth0:5000", "=eth9,ib0"])
    assert.ok(!isBad("NCCL_SOCKET_IFNAME", value), value);
  for (const value of ["eth9", "=eth", "^eth,ib", "^=eth0,ib0", "wlan"]) assert.ok(isBad("NCCL_SOCKET_IFNAME", value), value);
  for (const value of ["eth0", "eth0,ib0"]) assert.ok(!isBad("GLOO_SOCKET_IFNAME", value), value);
  for (const value of ["eth", "eth0,eth9"]) assert.ok(isBad("GLOO_SOCKET_IFNAME", value), value);
  assert.deepEqual(judge([{ env: { GLOO_SOCKET_IFNAME: "eth9" } }, { host: { env: { GLOO_SOCKET_IFNAME: "eth0" } } }]), ["fail net.iface_env h0"]);
});

test("speed: below its kind, half duplex, unlike the others; what tells none is not looked at", () => {
  const at = (speed: string, duplex = "full"): World => ({ files: { "/sys/class/net/eth0/speed": speed, "/sys/class/net/eth0/duplex": duplex } });
  assert.deepEqual(judge([{}, {}, at("1000")]), ["warn net.linkspeed h2"]);
  assert.deepEqual(judge([at("1000"), at("1000"), at("100")]), ["fail net.linkspeed h2"]);
  assert.deepEqual(judge([{}, at("10000", "half\n")]), ["fail net.linkspeed h1"]);
  for (const silent of [at("-1"), at(""), { files: {} }]) assert.deepEqual(judge([{}, silent]), ["skip net.linkspeed h1"]);
});

test("errors: of all packets, more than a few", () => {
  const errors = (count: string): World => ({ counters: { ...COUNTERS, "/sys/class/net/eth0/statistics/rx_errors": count } });
  assert.deepEqual(judge([errors("3")]), []);
  assert.deepEqual(judge([errors("5000")]), ["warn net.errors h0"]);
  assert.deepEqual(judge([errors("")]), ["skip net.errors h0"]);
});
