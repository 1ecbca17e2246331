/** What tailscale's own programs print, from captured text: states, paths, and nothing made of what is cut or unknown. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import type { DiagContext, HostProbe, PairProbe, Result } from "../../../cluster/diag/check.ts";
import { TAILSCALE } from "../../../cluster/diag/checks/tailscale.ts";
import { judgeHosts, judgePairs } from "../../../cluster/diag/judge.ts";
import type { HostSpec, RunSpec } from "../../../cluster/spec.ts";
import { isTailnetAddress } from "../../../cluster/tailscale/addresses.ts";
import { readPing } from "../../../cluster/tailscale/ping.ts";
import { readStatus } from "../../../cluster/tailscale/status.ts";
import { goodPairs } from "../../support/pair-probes.ts";

const sample = (name: string): string => readFileSync(new URL(`../../samples/tailscale/${name}`, import.meta.url), "utf8");
const NOW = Date.parse("2026-09-20T10:15:31Z");

/** The cases of the sample: their title, then what was printed on either stream. */
const pings: ReadonlyMap<string, string> = new Map(
  sample("ping-output.txt")
    .split(/^## /m)
    .slice(1)
    .map((part) => {
      const [title = "", ...lines] = part.split("\n");
      return [
        title.replace(/ {2,}.*$/, ""),
        lines
          .filter((line) => !line.startsWith("#"))
          .map((line) => line.replace("[stderr] ", ""))
          .join("\n"),
      ] as const;
    }),
);
const kindOf = (title: string): string => {
  const text = [...pings].find(([name]) => name.startsWith(title))?.[1];
  assert.ok(text !== undefined, `${title}: ${[...pings.keys()].join(" | ")}`);
  const path = readPing(text);
  return path === null ? "null" : `${path.kind} ${"via" in path ? path.via : ""}`.trim();
};

test("ping: the way of the last answer, whatever the exit status was", () => {
  assert.equal(kindOf("direct at once"), "direct 198.51.100.23:41641");
  assert.equal(kindOf("direct over IPv6"), "direct [2001:db8::17]:41641");
  assert.equal(kindOf("relay first, then direct"), "direct 198.51.100.23:41641");
  assert.equal(kindOf("-c 1, only DERP answered"), "derp nyc");
  assert.equal(kindOf("peer relay"), "peer-relay 203.0.113.40:40000:vni:4821");
  assert.equal(kindOf("timeout of one ping"), "none");
  for (const title of ["--tsmp / --icmp", "--peerapi", "self", "errors", "not running"]) assert.equal(kindOf(title), "null", title);
  const slow = readPing("pong from a (100.64.0.1) via DERP(fra) in 1.204s");
  assert.equal(slow !== null && "ms" in slow ? slow.ms : null, 1204);
});

test("addresses: the tailnet's range, and no neighbour of it", () => {
  for (const address of ["100.64.0.0", "100.127.255.255", "fd7a:115c:a1e0::1"]) assert.ok(isTailnetAddress(address), address);
  for (const address of ["100.63.0.1", "100.128.0.1", "10.0.0.1", "100.64.0.1.example.com", "fd7a::1"]) assert.ok(!isTailnetAddress(address), address);
});

const host = { name: "h0", address: "100.101.1.1" } as HostSpec;
const context = (address = host.address): DiagContext => ({ spec: { hosts: [{ ...host, address }] } as unknown as RunSpec, tier: "quick", now: NOW });
const probe = (out: string, interfaces: readonly string[] = ["100.101.1.1"]): HostProbe => ({
  host: "h0",
  facts: { interfaces: [{ name: "tailscale0", mtu: 1280, up: true, addresses: interfaces }] } as unknown as HostProbe["facts"],
  sections: { tailscale: { code: 0, out, err: "", ms: 5 } },
  clock: null,
});
const judge = (one: HostProbe, address = host.address): readonly string[] =>
  judgeHosts(TAILSCALE, [{ host: { ...host, address }, probe: one }], context(address)).map(({ id, status }) => `${status} ${id}`);

test("state and device: running passes, all else does not; another network's hosts are not looked at", () => {
  assert.deepEqual(judge(probe(sample("status-running.json"))), ["pass ts.state", "pass ts.tun"]);
  assert.deepEqual(judge(probe(sample("status-stopped.json"))), ["fail ts.state", "pass ts.tun"]);
  assert.deepEqual(judge(probe(sample("status-needslogin.json"))), ["fail ts.state", "skip ts.tun"]);
  assert.deepEqual(judge(probe(sample("status-starting-no-derp.json"))), ["fail ts.state", "pass ts.tun"]);
  const userspace = sample("status-running.json").replace('"TUN": true', '"TUN": false');
  assert.deepEqual(judge(probe(userspace, [])), ["pass ts.state", "fail ts.tun"]);
  assert.deepEqual(judge(probe(sample("status-running.json"), [])), ["pass ts.state", "fail ts.tun"]);
  const expiring = sample("status-running.json").replace('"KeyExpiry": "2026-11-29T08:14:51Z"', '"KeyExpiry": "2026-09-22T08:14:51Z"');
  assert.deepEqual(judge(probe(expiring)), ["warn ts.state", "pass ts.tun"]);
  assert.deepEqual(judge(probe(sample("status-stopped.json")), "10.0.0.1"), ["skip ts.state", "skip ts.tun"]);
  const absent: HostProbe = { ...probe(""), sections: { tailscale: { code: null, out: "", err: "", ms: 0, why: "tailscale is not there" } } };
  assert.deepEqual(judge(absent), ["skip ts.state", "skip ts.tun"]);
});

test("status: cut anywhere it is none, and never a pass", () => {
  const text = sample("status-running.json").trimEnd();
  fc.assert(
    fc.property(fc.integer({ min: 0, max: text.length - 1 }), (cut) => {
      assert.equal(readStatus(text.slice(0, cut)), null);
      assert.ok(judge(probe(text.slice(0, cut))).every((line) => !line.startsWith("pass")));
    }),
    { numRuns: 60 },
  );
  fc.assert(
    fc.property(fc.string(), (random) => {
      readPing(random);
      assert.equal(readStatus(random), null);
    }),
  );
});

test("paths: a relay of Tailscale's is the finding of the pair that has it; no tailnet, no word", () => {
  const pinged = (derp: (pair: PairProbe) => boolean): readonly PairProbe[] =>
    goodPairs(3).map((pair) =>
      pair.from === pair.to ? pair : { ...pair, tailscalePing: `pong from x (100.64.0.9) via ${derp(pair) ? "DERP(fra) in 45ms" : "10.0.0.9:41641 in 1ms"}\n` },
    );
  const checks = TAILSCALE.filter((check) => check.scope === "pair");
  const said = (pairs: readonly PairProbe[]): readonly Result[] => judgePairs(checks, pairs, context());
  assert.deepEqual(
    said(pinged(() => false)).map(({ status }) => status),
    ["pass"],
  );
  const bad = said(pinged(({ from, to }) => [from, to].includes("h1") && [from, to].includes("h2")));
  assert.deepEqual(
    bad.map(({ status, host, peer }) => `${status} ${host} ${peer}`),
    ["fail h2 h1"],
  );
  assert.match(bad[0]?.observed ?? "", /between h1 and h2, both ways: only by a relay of Tailscale's, DERP \(fra, 45 ms\)/);
  assert.deepEqual(said(goodPairs(3)), []);
});
