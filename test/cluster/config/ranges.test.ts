/** Ranges of hosts, units, endpoints, names of runs, nearest names. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { expandRange, MAX_HOSTS, splitOutsideBrackets } from "../../../cluster/config/host-range.ts";
import { isIpv6 } from "../../../cluster/config/names.ts";
import { nearest } from "../../../cluster/config/nearest.ts";
import { parseEndpoint, parsePorts } from "../../../cluster/config/rendezvous.ts";
import { runId } from "../../../cluster/config/run-id.ts";
import { durationMs, sizeBytes } from "../../../cluster/config/units.ts";

const names = (text: string): readonly string[] => {
  const expanded = expandRange(text);
  return expanded.ok ? expanded.names : assert.fail(expanded.why);
};

test("ranges expand in order, keep their zeros, and multiply", () => {
  assert.deepEqual(names("gpu[08-11]"), ["gpu08", "gpu09", "gpu10", "gpu11"]);
  assert.deepEqual(names("gpu[1,3,5-7].x"), ["gpu1.x", "gpu3.x", "gpu5.x", "gpu6.x", "gpu7.x"]);
  assert.deepEqual(names("r[1-2]n[1-2]"), ["r1n1", "r1n2", "r2n1", "r2n2"]);
  assert.deepEqual(names("plain"), ["plain"]);
});

test("a range gives back every number it was made of, once, and never more than the limit", () => {
  fc.assert(
    fc.property(fc.nat(99_999), fc.nat(2000), fc.constantFrom("", "x-"), (from, count, tail) => {
      const expanded = expandRange(`h[${from}-${from + count}]${tail}`);
      assert.equal(expanded.ok, count + 1 <= MAX_HOSTS);
      if (!expanded.ok) return;
      assert.deepEqual(
        expanded.names,
        Array.from({ length: count + 1 }, (_, i) => `h${from + i}${tail}`),
      );
    }),
  );
  fc.assert(fc.property(fc.string(), (text) => void expandRange(text)));
});

test("numbers that are too large are called so, and `a,b[1,2]` is two patterns", () => {
  for (const text of ["gpu[1-1000000000]", "gpu[1000000000]"]) {
    const expanded = expandRange(text);
    assert.match(expanded.ok ? "" : expanded.why, /too large/);
  }
  assert.deepEqual(splitOutsideBrackets("a, b[1,2],c"), ["a", "b[1,2]", "c"]);
});

test("durations and sizes", () => {
  assert.deepEqual(["30s", "5m", "1h30m", "250ms", "1.5h", "2d", 90, "x", "5", "-1s", "1s x"].map(durationMs), [
    30_000,
    300_000,
    5_400_000,
    250,
    5_400_000,
    172_800_000,
    90_000,
    null,
    null,
    null,
    null,
  ]);
  assert.deepEqual(["2GiB", "500MB", "64 KiB", "1.5MB", 4096, "2G", "GB", 1.5].map(sizeBytes), [2 ** 31, 5e8, 65_536, 1_500_000, 4096, null, null, null]);
});

test("endpoints, IPv6 included", () => {
  const ends = (text: string): unknown => {
    const parsed = parseEndpoint(text);
    return parsed.ok ? [parsed.value.host, parsed.value.port] : "refused";
  };
  assert.deepEqual(ends("a:29500"), ["a", 29500]);
  assert.deepEqual(ends("a"), ["a", 0]);
  assert.deepEqual(ends("[fd7a::1]:29500"), ["fd7a::1", 29500]);
  assert.deepEqual(ends("fd7a::1"), ["fd7a::1", 0]);
  for (const wrong of ["", ":1", "a:", "a:1:2", "[a]:29500", "a:99999", "a:80", "[fd7a::1]29500", "-x:29500", "a b:29500"])
    assert.equal(ends(wrong), "refused", wrong);
  assert.deepEqual(parsePorts("20000-20100"), { ok: true, value: [20000, 20100] });
  for (const wrong of ["20000", "20100-20000", "20000-70000", "80-90", "a-b"]) assert.equal(parsePorts(wrong).ok, false, wrong);
});

test("IPv6 addresses", () => {
  for (const right of ["::", "::1", "fe80::1", "1:2:3:4:5:6:7:8", "::ffff:10.0.0.1", "fd7a:115c:a1e0::1"]) assert.equal(isIpv6(right), true, right);
  for (const wrong of [":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::", "g::1", "::1%lo", "::300.1.1.1", ":1", "a:b"])
    assert.equal(isIpv6(wrong), false, wrong);
});

test("a run's id is stage, date and time of the clock on the wall", () => {
  assert.equal(runId("train", new Date(2025, 10, 1, 14, 32, 0)), "train_20251101_143200");
  assert.equal(runId("x", new Date(2025, 0, 2, 3, 4, 5)), "x_20250102_030405");
});

test("nearest names: a slip finds its word, a stranger finds none", () => {
  const keys = ["cluster", "backend", "launcher", "min_hosts", "rdzv"];
  assert.deepEqual(
    ["clutser", "bakend", "min-hosts", "RDZV", "launcherr", "volumes", "x".repeat(100)].map((name) => nearest(name, keys)),
    ["cluster", "backend", "min_hosts", "rdzv", "launcher", null, null],
  );
});
