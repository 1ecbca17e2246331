/** The catalogue: every finding is found in a real line of its own, nothing in the log of a healthy run, and no line can make it slow. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ERRORS } from "../../../cluster/error-table.ts";
import { FINDINGS, findingOf } from "../../../cluster/findings/catalogue.ts";
import { findIn, LINE_MAX, matchLine, withoutConsequences } from "../../../cluster/findings/match.ts";
import { causeOf, explainFinding, remedyOf } from "../../../cluster/findings/words.ts";
import { EXAMPLES } from "./examples.ts";
import { HEALTHY } from "./healthy.ts";
import { SEEN } from "./seen.ts";

test("113 findings, each with a code of its own that is no error's", () => {
  const codes = FINDINGS.map(({ code }) => code);
  assert.equal(codes.length, 113);
  assert.equal(new Set(codes).size, codes.length);
  assert.deepEqual(
    codes.filter((code) => Object.hasOwn(ERRORS, code) || !/^[A-Z][A-Z0-9_]{2,30}$/.test(code)),
    [],
  );
  const shown = FINDINGS.filter(({ patterns }) => patterns.length > 0).map(({ code }) => code);
  assert.deepEqual(Object.keys(EXAMPLES).sort(), shown.sort());
  assert.ok(
    FINDINGS.every(({ role, patterns }) => (role === "watch") === (patterns.length === 0)),
    "what no line shows is for watching alone",
  );
});

for (const { code } of FINDINGS) {
  test(`${code} is found in a real line, as it is and behind a launcher's prefix`, () => {
    for (const line of EXAMPLES[code] ?? []) {
      for (const prefix of ["", "[default0]:", "[rank3]:", "2026-11-24T10:00:00 "]) {
        const match = matchLine(prefix + line);
        assert.equal(match?.finding.code, code, prefix + line);
        assert.doesNotMatch(explainFinding(match?.finding ?? assert.fail(), match?.args).join("\n"), /undefined|\{\w+\}/);
      }
    }
  });
}

test("lines seen elsewhere", () => {
  for (const [line, code] of SEEN) assert.equal(matchLine(line)?.finding.code ?? null, code, line);
});

test("every finding has words, and those refer to what its patterns take", () => {
  for (const finding of FINDINGS) {
    const taken = new Set(finding.patterns.flatMap(({ source }) => [...source.matchAll(/\(\?<(\w+)>/g)].map(([, name]) => name)));
    for (const [, name] of `${finding.cause} ${finding.remedy}`.matchAll(/\{(\w+)\}/g)) assert.ok(taken.has(name), `${finding.code}: {${name}}`);
    for (const code of finding.dependsOn) assert.ok(findingOf(code) !== null && code !== finding.code, `${finding.code} depends on ${code}`);
    for (const words of [finding.title, causeOf(finding), remedyOf(finding)]) assert.ok(words.length > 10 && words.length < 400, `${finding.code}: ${words}`);
    assert.ok(!finding.isFinal || finding.role === "root" || finding.role === "setup", `${finding.code}: only a cause is final`);
  }
});

test("the log of a healthy run shows nothing but what is harmless", () => {
  const found = findIn(HEALTHY).filter(({ finding }) => finding.role !== "harmless");
  assert.deepEqual(
    found.map(({ finding, line }) => `${finding.code}: ${line}`),
    [],
  );
});

test("symptoms hide behind their cause, and are shown where there is none", () => {
  const codes = (...wanted: string[]): string[] =>
    withoutConsequences(findIn(wanted.flatMap((code) => EXAMPLES[code] ?? []).join("\n"))).map((f) => f.finding.code);
  assert.deepEqual(codes("GLOO_PEER_CLOSED", "CUDA_OOM", "NCCL_TEARDOWN"), ["CUDA_OOM"]);
  assert.deepEqual(codes("NCCL_SYSTEM", "NCCL_CONNECT"), ["NCCL_CONNECT"]);
  assert.deepEqual(codes("NCCL_SYSTEM", "NCCL_PEER_CLOSED"), ["NCCL_PEER_CLOSED"]);
  assert.deepEqual(codes("GLOO_PEER_CLOSED"), ["GLOO_PEER_CLOSED"]);
});

test("no pattern has a quantifier without a bound, so none can backtrack over a whole line", () => {
  for (const { code, patterns } of FINDINGS) {
    for (const { source, flags } of patterns) {
      const plain = source.replace(/\\./g, "_").replace(/\[[^\]]*\]/g, "_");
      assert.doesNotMatch(plain, /[*+]|\{\d+,\}/, `${code}: ${source}`);
      assert.equal(flags, "", `${code}: stateless`);
    }
  }
});

/** Pieces of real lines, over and over: what makes a pattern begin again at every place. */
const pieces = Object.values(EXAMPLES).flat();
const hostile = fc
  .tuple(fc.constantFrom(...pieces), fc.nat(80), fc.integer({ min: 3, max: 120 }), fc.constantFrom("", " ", "1", "a", "/", ":", "\t"))
  .map(([piece, from, length, glue]) => (piece.slice(from, from + length) + glue).repeat(100_000).slice(0, 100_000));

test("hostile lines of 100 KB are looked through, each pattern on the whole line too", { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(hostile, (line) => {
      matchLine(line);
      for (const { patterns } of FINDINGS) for (const pattern of patterns) pattern.test(line.slice(0, 20_000));
    }),
    { numRuns: 20 },
  );
});

test("what is beyond the looked-at part of a line is not found, whatever is any text", () => {
  assert.equal(matchLine(" ".repeat(LINE_MAX) + (EXAMPLES.CUDA_OOM?.[0] ?? "")), null);
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => findIn(text).length >= 0));
});
