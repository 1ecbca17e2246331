/** The order of pairs, whose fault bad ways are, the matrix and the estimate. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { PairProbe } from "../../../cluster/diag/check.ts";
import { attribute, type Way } from "../../../cluster/diag/pairs/attribute.ts";
import { slowOf } from "../../../cluster/diag/pairs/bandwidth.ts";
import { allReduceMs, estimate, shareOfStep } from "../../../cluster/diag/pairs/estimate.ts";
import { matrixLines } from "../../../cluster/diag/pairs/matrix.ts";
import { roundsOf } from "../../../cluster/diag/pairs/rounds.ts";
import { widthOf } from "../../../cluster/view/table.ts";
import { goodPairs, hostNames } from "../../support/pair-probes.ts";

const count = fc.integer({ min: 0, max: 41 });
const waysOf = (hosts: readonly string[], isBad: (from: string, to: string) => boolean): readonly Way[] =>
  hosts.flatMap((from) => hosts.filter((to) => to !== from).map((to) => ({ from, to, isBad: isBad(from, to) })));

test("rounds: nobody is in two pairs at a time, every pair comes once, and no more rounds than needed", () => {
  fc.assert(
    fc.property(count, (n) => {
      const rounds = roundsOf(hostNames(n));
      for (const round of rounds) assert.equal(new Set(round.flat()).size, round.length * 2);
      const met = rounds.flat().map((pair) => [...pair].sort().join(" "));
      assert.equal(new Set(met).size, met.length);
      assert.equal(met.length * 2, n === 0 ? 0 : n * (n - 1));
      assert.equal(rounds.length, n < 2 ? Math.max(0, n - 1) : n % 2 === 0 ? n - 1 : n);
    }),
  );
});

test("one bad link, one way or both: that link is named, and no host", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 12 }), fc.nat(), fc.nat(), fc.boolean(), (n, i, j, isBoth) => {
      const hosts = hostNames(n);
      const a = hosts[i % n] ?? "";
      const b = hosts.filter((name) => name !== a)[j % (n - 1)] ?? "";
      const blames = attribute(waysOf(hosts, (from, to) => (from === a && to === b) || (isBoth && from === b && to === a)));
      const [blame] = blames;
      assert.ok(blames.length === 1 && blame?.kind === "link");
      assert.deepEqual([blame.a, blame.b].sort(), [a, b].sort());
      assert.equal(blame.direction, isBoth ? "both" : "a-to-b");
      if (!isBoth) assert.equal(blame.a, a);
    }),
  );
});

test("one bad host among three or more: it is named, and no other, whatever one way is bad", () => {
  const ends = fc.constantFrom<"in" | "out" | "both">("in", "out", "both");
  fc.assert(
    fc.property(fc.integer({ min: 3, max: 12 }), fc.nat(), ends, (n, i, direction) => {
      const hosts = hostNames(n);
      const host = hosts[i % n] ?? "";
      const ways = waysOf(hosts, (from, to) => (direction !== "out" && to === host) || (direction !== "in" && from === host));
      assert.deepEqual(attribute(ways), [{ kind: "host", host, direction }]);
    }),
  );
});

test("whatever is bad: every bad way is explained, no host is blamed that has a good way in that direction, and nothing when nothing is bad", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 7 }), fc.infiniteStream(fc.boolean()), fc.infiniteStream(fc.boolean()), (n, bad, isMeasured) => {
      const ways = waysOf(hostNames(n), () => bad.next().value).filter(() => isMeasured.next().value);
      const blames = attribute(ways);
      assert.equal(
        blames.length > 0,
        ways.some(({ isBad }) => isBad),
      );
      for (const blame of blames) {
        if (blame.kind !== "host") continue;
        if (blame.direction !== "out") assert.ok(!ways.some(({ to, isBad }) => to === blame.host && !isBad));
        if (blame.direction !== "in") assert.ok(!ways.some(({ from, isBad }) => from === blame.host && !isBad));
      }
      for (const { from, to } of ways.filter(({ isBad }) => isBad)) {
        const isExplained = blames.some(
          (blame) =>
            blame.kind === "plan" ||
            (blame.kind === "host" && ((blame.direction !== "out" && blame.host === to) || (blame.direction !== "in" && blame.host === from))) ||
            (blame.kind === "link" && ((blame.a === from && blame.b === to) || (blame.direction === "both" && blame.a === to && blame.b === from))),
        );
        assert.ok(isExplained, `${from} to ${to}`);
      }
    }),
  );
});

test("all ways between three hosts or more bad: that is no single host's", () => {
  assert.deepEqual(attribute(waysOf(hostNames(4), () => true)), [{ kind: "plan" }]);
  assert.deepEqual(attribute(waysOf(["a", "b"], () => true)), [{ kind: "link", a: "a", b: "b", direction: "both" }]);
});

test("slow: beside the others, never where two ways are all there is, and not where our own probe is the limit", () => {
  assert.deepEqual([...slowOf(new Map([["a", 9e8], ["b", 9e8], ["c", 1e8], ["d", 9e8]]))], ["c"]); // biome-ignore format: pairs
  assert.equal(slowOf(new Map([["a", 9e8], ["b", 1e8]])).size, 0); // biome-ignore format: pairs
  assert.equal(slowOf(new Map([["a", 90e9], ["b", 90e9], ["c", 30e9]])).size, 0); // biome-ignore format: pairs
});

test("estimate: a ring's time over the slowest way; nothing where a way was not measured", () => {
  assert.equal(Math.round(allReduceMs(4, 1e9, 1e9)), 12_000);
  const pairs = goodPairs(3).map((pair): PairProbe => ({ ...pair, bandwidth: pair.from === pair.to ? null : pair.from === "h1" ? 1e9 : 9e9 }));
  const found = estimate(pairs, 1e9);
  assert.deepEqual([found?.hosts, found?.slowest.from, found?.slowest.bitsPerS], [3, "h1", 1e9]);
  assert.ok(Math.abs((found?.allReduceMs ?? 0) - (4 / 3) * 8000) < 1);
  assert.equal(estimate(pairs.map((pair) => (pair.to === "h2" && pair.from === "h0" ? { ...pair, bandwidth: null } : pair))), null);
  assert.equal(estimate([]), null);
  assert.equal(shareOfStep(250, 750), 0.25);
});

test("matrix: 80 columns for any number of hosts and any name; what is wrong is a symbol that the head explains", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 70 }), fc.string({ maxLength: 30 }), fc.infiniteStream(fc.integer({ min: 0, max: 9 })), (n, name, dice) => {
      const pairs = goodPairs(n).map((pair): PairProbe => {
        const k = dice.next().value;
        const renamed = { ...pair, from: `${name}${pair.from}`, to: `${name}${pair.to}` };
        if (k === 0) return { ...renamed, bigWrites: "stalled" };
        return k === 1 ? { ...renamed, isAnswering: false } : renamed;
      });
      const lines = matrixLines(pairs);
      assert.ok(lines.every((line) => widthOf(line) <= 80 && !line.includes("\n")));
      assert.equal(lines.length === 0, n < 2);
      assert.ok(lines.length <= 18);
    }),
    { numRuns: 50 },
  );
  const bad = (pair: PairProbe): PairProbe => (pair.from === "h1" && pair.to === "h17" ? { ...pair, isAnswering: false } : pair);
  assert.deepEqual(matrixLines(goodPairs(20).map(bad)), [
    "from (row) to (column), ms there and back; x nothing answers",
    "           1     2",
    "1  h1      -     x",
    "2  h17  0.20     -",
    "18 other hosts: 306 ways between them are good, 0.2 to 0.2",
  ]);
  assert.deepEqual(matrixLines(goodPairs(20)), ["from (row) to (column), ms there and back", "20 other hosts: 380 ways between them are good, 0.2 to 0.2"]);
  assert.equal(matrixLines(goodPairs(2))[2], "1  h0     -  0.20");
});
