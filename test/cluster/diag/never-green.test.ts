/** Every check of the catalogue: what is empty, cut, refused, foreign or noise never makes a pass, and never throws. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CHECKS } from "../../../cluster/diag/catalogue.ts";
import type { Check, HostProbe, Result, Section, Status } from "../../../cluster/diag/check.ts";
import { judgeHosts, type Look } from "../../../cluster/diag/judge.ts";
import { diagContext, HOSTS, healthyProbe, healthySections, hostSpec, section, sick, withSection } from "../../support/probes.ts";

const VICTIM = "gpu-b";
const context = diagContext();

function judged(victim: HostProbe, checks: readonly Check[] = CHECKS): readonly Result[] {
  const looks: readonly Look[] = HOSTS.map((name) => ({ host: hostSpec(name), probe: name === VICTIM ? victim : healthyProbe(name) }));
  return judgeHosts(checks, looks, context);
}

/** check → the best that was said of the victim, or of all. */
function passes(results: readonly Result[]): ReadonlySet<string> {
  const all = new Map<string, Status[]>();
  for (const { id, host, status } of results) if (host === VICTIM || host === null) all.set(id, [...(all.get(id) ?? []), status]);
  return new Set([...all].filter(([, statuses]) => statuses.every((status) => status === "pass")).map(([id]) => id));
}

const bugs = (results: readonly Result[]): readonly string[] =>
  results.flatMap(({ id, observed }) => (/the check itself failed|the check said nothing/.test(observed) ? [`${id}: ${observed}`] : []));

const watch = (sections: HostProbe["sections"], seen: Set<string>): HostProbe["sections"] =>
  new Proxy(sections, {
    get: (all, name: string) => {
      seen.add(name);
      return all[name];
    },
  });

/** Which sections of a host each check asked for. */
function readsOf(victim: HostProbe): ReadonlyMap<string, ReadonlySet<string>> {
  const reads = new Map<string, ReadonlySet<string>>();
  for (const check of CHECKS) {
    const seen = new Set<string>();
    const watched = { ...victim, sections: watch(victim.sections, seen) };
    const looks: readonly Look[] = HOSTS.map((name) => ({ host: hostSpec(name), probe: name === VICTIM ? watched : healthyProbe(name) }));
    judgeHosts([check], looks, context);
    reads.set(check.id, seen);
  }
  return reads;
}

const refused: readonly Section[] = [
  section(""),
  section("\n"),
  section("", { code: 1, err: "Permission denied" }),
  section("", { code: 127, err: "sh: 1: not found" }),
  section("Zugriff verweigert\n", { code: 1, err: "Vorgang nicht zulässig" }),
  section("Failed to initialize NVML: Driver/library version mismatch\n", { code: 18 }),
  { code: null, out: "", err: "", ms: 5000, why: "no answer within 5 s" },
  { code: null, out: "", err: "", ms: 1, why: "it is not there" },
];

/** Sections where nothing said is an answer. */
const MAY_BE_EMPTY = new Set(["updates", "holds"]);

test("a healthy host has no finding", () => {
  const found = judged(healthyProbe(VICTIM)).filter(({ status }) => status === "warn" || status === "fail" || status === "error");
  assert.deepEqual(found, []);
});

for (const [check, name, text] of sick) {
  test(`${check} sees its fault in ${name}`, () => {
    const found = judged(withSection(healthyProbe(VICTIM), name, text)).filter((result) => result.id === check && result.host === VICTIM);
    assert.ok(found.length > 0 && found.every(({ status }) => status !== "pass"), JSON.stringify(found));
    assert.ok(check === "tok.hf" || found.some(({ status }) => status === "warn" || status === "fail"), JSON.stringify(found));
    assert.deepEqual(
      judged(withSection(healthyProbe(VICTIM), name, text)).filter((result) => result.host !== VICTIM && result.status !== "pass" && result.status !== "skip"),
      [],
      "no other host is blamed",
    );
  });
}

test("a section that is empty, refused or absent makes no check green that reads it", () => {
  const before = healthyProbe(VICTIM);
  const reads = readsOf(before);
  for (const name of Object.keys(healthySections())) {
    for (const text of refused) {
      if (MAY_BE_EMPTY.has(name) && text.code !== null) continue;
      const results = judged(
        withSection(before, name, text),
        CHECKS.filter(({ id }) => reads.get(id)?.has(name) === true),
      );
      assert.deepEqual(bugs(results), []);
      const green = passes(results);
      for (const [check, seen] of reads) assert.ok(!(seen.has(name) && green.has(check)), `${check} passes where ${name} said ${JSON.stringify(text)}`);
    }
    const { [name]: _, ...rest } = before.sections;
    const green = passes(judged({ ...before, sections: rest }));
    for (const [check, seen] of reads) assert.ok(!(seen.has(name) && green.has(check) && !name.includes(":")), `${check} passes without ${name}`);
  }
});

test("no cut, foreign or random text turns a finding into a pass, and none throws", () => {
  const reads = readsOf(healthyProbe(VICTIM));
  const cases = [...sick.map(([, name, text]) => [name, text] as const), ...Object.entries(healthySections())];
  const noise = fc.oneof(
    fc.string({ unit: "binary", maxLength: 200 }),
    fc.json(),
    fc.constantFrom(
      "Permission denied\n",
      "Zugriff verweigert\n",
      "command not found",
      "[N/A]",
      "N/A\n",
      "null",
      "{}",
      "[]",
      '{"a": null}',
      "0",
      "-1\n",
      "\u0000\u0001",
    ),
  );
  fc.assert(
    fc.property(fc.constantFrom(...cases), fc.option(noise), fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), ([name, text], random, part) => {
      const before = withSection(healthyProbe(VICTIM), name, text);
      const checks = CHECKS.filter(({ id }) => reads.get(id)?.has(name) === true);
      const green = passes(judged(before, checks));
      const cut = random ?? text.out.slice(0, Math.floor(text.out.length * part));
      const results = judged(withSection(before, name, { ...text, out: cut }), checks);
      assert.deepEqual(bugs(results), []);
      for (const id of passes(results)) assert.ok(green.has(id), `${id} passes with ${name} = ${JSON.stringify(cut)}`);
    }),
    { numRuns: 400 },
  );
});

test("ids are unique, needs exist, and every word of a fix is one that its check gives", () => {
  const ids = CHECKS.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  for (const check of CHECKS) {
    for (const need of check.needs) assert.ok(ids.includes(need), `${check.id} needs ${need}`);
    assert.ok(check.fix !== "" && check.why !== "" && check.verify !== "" && check.title !== "", check.id);
  }
});

test("time.skew and time.sync speak of a clock that is wrong, never of one that was not measured", () => {
  const unsynchronised = section(JSON.stringify({ state: 5, isSynchronised: false, maxErrorUs: 16_000_000 }));
  const of = (clock: HostProbe["clock"]): readonly (string | undefined)[] => {
    const results = judged({ ...withSection(healthyProbe(VICTIM), "clock_state", unsynchronised), clock });
    return ["time.skew", "time.sync"].map((id) => results.find((result) => result.id === id && result.host === VICTIM)?.status);
  };
  assert.deepEqual(of({ offsetMs: 20, errorMs: 3 }), ["pass", "pass"]);
  assert.deepEqual(of({ offsetMs: -900, errorMs: 3 }), ["warn", "skip"]);
  assert.deepEqual(of({ offsetMs: 900, errorMs: 850 }), ["pass", "pass"], "within what the measurement may be off");
  assert.deepEqual(of({ offsetMs: 75_000, errorMs: 30 }), ["fail", "skip"]);
  assert.deepEqual(of(null), ["skip", "warn"]);
});
