/** What is said of links: exactly the finding of what is broken, nothing on healthy ones, and never a pass where nothing was measured. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { DiagContext, PairProbe, Result } from "../../../cluster/diag/check.ts";
import { LINKS } from "../../../cluster/diag/checks/links.ts";
import { cureText } from "../../../cluster/diag/cure.ts";
import { judgePairs } from "../../../cluster/diag/judge.ts";
import type { RunSpec } from "../../../cluster/spec.ts";
import { goodPairs, RDZV_PORT } from "../../support/pair-probes.ts";

const context: DiagContext = { spec: { rdzv: { host: "h0", port: RDZV_PORT }, rdzvPorts: null, hosts: [] } as unknown as RunSpec, tier: "full", now: 0 };
const judge = (pairs: readonly PairProbe[], spec = context): readonly Result[] => judgePairs(LINKS, pairs, spec);
const findings = (pairs: readonly PairProbe[], spec = context): readonly string[] =>
  judge(pairs, spec)
    .filter(({ status }) => status !== "pass" && status !== "skip")
    .map(({ id, host, peer, status }) => `${status} ${id} ${host ?? "all"}${peer === undefined ? "" : ` ${peer}`}`);

type Change = (pair: PairProbe) => PairProbe;
const changed = (count: number, isMeant: (pair: PairProbe) => boolean, change: Change): readonly PairProbe[] =>
  goodPairs(count).map((pair) => (isMeant(pair) ? change(pair) : pair));
const between = (a: string, b: string) => (pair: PairProbe) => (pair.from === a && pair.to === b) || (pair.from === b && pair.to === a);
const to = (host: string) => (pair: PairProbe) => pair.to === host && pair.from !== host;

const unmeasured = { latencyMs: null, mtu: null, bigWrites: null, route: null } as const;
const shut =
  (kind: "rdzv" | "ephemeral", outcome: "timeout" | "refused", most = 9): Change =>
  (pair) => {
    const ports = pair.ports.map((port, k) => (port.kind === kind && k < most ? { ...port, outcome } : port));
    return ports.some((port) => port.kind === "ephemeral" && port.outcome === "open") ? { ...pair, ports } : { ...pair, ports, ...unmeasured };
  };
const dead: Change = (pair) => ({ ...pair, ports: pair.ports.map((port) => ({ ...port, outcome: "timeout" })), isAnswering: false, ...unmeasured });

test("healthy links: all checks pass, for any number of hosts", () => {
  for (const count of [2, 3, 17]) {
    const results = judge(goodPairs(count).map((pair) => (pair.from === pair.to ? pair : { ...pair, bandwidth: 9e9 })));
    assert.deepEqual([...new Set(results.map(({ status }) => status))], ["pass"]);
    assert.equal(results.length, LINKS.length);
  }
});

test("a cut link is one finding of the two hosts, a host that nobody reaches is one of that host", () => {
  assert.deepEqual(findings(changed(4, between("h1", "h2"), dead)), ["fail net.reach h2 h1"]);
  assert.deepEqual(findings(changed(2, between("h0", "h1"), dead)), ["fail net.reach h1 h0"]);
  assert.deepEqual(findings(changed(4, ({ from, to }) => from !== to && (from === "h3" || to === "h3"), dead)), ["fail net.reach h3"]);
  assert.deepEqual(findings(changed(4, ({ from, to }) => from !== to, dead)), ["fail net.reach all"]);
});

test("ports: the rendezvous' alone; all but SSH of one host; some only", () => {
  assert.deepEqual(findings(changed(4, to("h0"), shut("rdzv", "timeout"))), ["fail port.rdzv h0"]);
  const [one] = judge(changed(4, (pair) => pair.from === "h2" && pair.to === "h0", shut("rdzv", "timeout"))).filter(({ status }) => status === "fail");
  assert.deepEqual([one?.id, one?.host, one?.peer], ["port.rdzv", "h0", "h2"]);
  assert.match(one?.observed ?? "", /not reached from h2 \(no answer\); reached from h1, h3/);
  assert.match(cureText(one?.words?.fix ?? "", {}, []), /^ssh -t h0 'sudo ufw allow proto tcp from 10\.0\.0\.3 to any port 29500' {2}# or name/);
  assert.deepEqual(findings(changed(4, to("h2"), shut("ephemeral", "refused"))), ["fail port.ephemeral h2"]);
  // The rendezvous' port is shut with all others: one cause, one finding.
  const all = changed(4, to("h0"), (pair) => shut("rdzv", "refused")(shut("ephemeral", "refused")(pair)));
  assert.deepEqual(findings(all), ["fail port.ephemeral h0"]);
  assert.deepEqual(findings(changed(4, to("h2"), shut("ephemeral", "timeout", 2))), ["fail port.ephemeral h2"]);
});

test("a busy port is the rendezvous' where the file names it, and nothing where any free one will do", () => {
  const busy = changed(3, ({ from, to }) => from === "h0" && to === "h0", (pair) => ({
    ...pair,
    ports: pair.ports.map((port) => (port.kind === "rdzv" ? { ...port, outcome: "busy", detail: "nc (pid 8, user ann)" } : port)),
  })).map((pair) => (pair.to === "h0" && pair.from !== "h0" ? { ...pair, ports: pair.ports.filter(({ kind }) => kind !== "rdzv") } : pair)); // biome-ignore format: one change
  assert.deepEqual(findings(busy), ["fail port.rdzv h0"]);
  assert.match(judge(busy).find(({ status }) => status === "fail")?.observed ?? "", /port 29500 is in use by nc \(pid 8, user ann\)/);
  assert.deepEqual(findings(busy, { ...context, spec: { ...context.spec, rdzv: null } }), []);
});

test("large packets: lost is a failure of the way, smaller ones found by TCP a warning", () => {
  const hole: Change = (pair) => ({ ...pair, bigWrites: "stalled", mtu: { path: 1280, interface: 1500 } });
  assert.deepEqual(findings(changed(4, between("h1", "h3"), hole)), ["fail net.mtu h3 h1"]);
  assert.deepEqual(findings(changed(4, to("h2"), (pair) => ({ ...pair, mtu: { path: 1300, interface: 9000 } }))), ["warn net.mtu h2"]);
  const loopback = changed(2, between("h0", "h1"), (pair) => ({ ...pair, mtu: { path: 65_535, interface: 65_536 } }));
  assert.deepEqual(findings(loopback), []);
});

test("latency, route, bandwidth: each its own finding", () => {
  assert.deepEqual(findings(changed(4, between("h1", "h2"), (pair) => ({ ...pair, latencyMs: { p50: 80, max: 90, lost: 0 } }))), ["warn net.latency h2 h1"]);
  const astray: Change = (pair) => ({ ...pair, route: { interface: "eth1", source: "10.1.0.2", wanted: "eth0" } });
  assert.deepEqual(findings(changed(4, (pair) => pair.from === "h1" && pair.to !== "h1", astray)), ["warn net.route h1"]);
  const slow = goodPairs(4).map((pair) => (pair.from === pair.to ? pair : { ...pair, bandwidth: pair.from === "h3" ? 5e7 : 9e8 }));
  assert.deepEqual(findings(slow), ["fail net.bandwidth h3"]);
});

test("what was not measured is told and is never green, whatever else is", () => {
  const silent: readonly PairProbe[] = goodPairs(3).map((pair) =>
    pair.from === "h2" || pair.to === "h2" ? { ...pair, ...unmeasured, ports: [], why: "it did not answer" } : pair,
  );
  const results = judge(silent);
  assert.deepEqual(findings(silent), []);
  for (const id of ["net.reach", "port.ephemeral", "net.latency", "net.mtu"])
    assert.ok(results.some((result) => result.id === id && result.status === "skip" && /it did not answer/.test(result.observed)));
  const nothing = goodPairs(3).map((pair): PairProbe => ({ ...pair, ...unmeasured, ports: [], why: "it did not answer" }));
  assert.ok(judge(nothing).every(({ status }) => status !== "pass"));
});

test("any mixture of outcomes: no judge throws, and a check passes only where it has no way to complain of", () => {
  const outcome = fc.constantFrom("open", "refused", "timeout", "unreachable", "busy", "other");
  const some = fc.record({
    outcome,
    isAnswering: fc.boolean(),
    bigWrites: fc.constantFrom("through", "stalled", null),
    bandwidth: fc.option(fc.double({ min: 0, max: 1e11, noNaN: true })),
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.infiniteStream(some), (count, stream) => {
      const pairs = goodPairs(count).map((pair): PairProbe => {
        const { outcome, ...rest } = stream.next().value;
        return { ...pair, ...rest, ports: pair.ports.map((port) => ({ ...port, outcome: outcome as "open" })) };
      });
      const results = judge(pairs);
      assert.ok(results.every(({ status }) => status !== "error"));
      const dead = pairs.some(({ from, to, isAnswering }) => from !== to && !isAnswering);
      assert.equal(
        results.some(({ id, status }) => id === "net.reach" && status === "pass"),
        !dead && count > 1,
      );
      for (const id of new Set(results.filter(({ status }) => status === "pass").map((result) => result.id)))
        assert.ok(!results.some((result) => result.id === id && result.status === "fail"), id);
    }),
  );
});
