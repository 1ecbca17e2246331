/** Hostfiles as launchers read them, and the first cluster file: whatever goes in, it is a valid one; so is every line of it that is uncommented. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { firstFile } from "../../../cluster/config/first-file.ts";
import { type HostLine, parseHostfile } from "../../../cluster/config/hostfile.ts";
import { parseClusterText } from "../../../cluster/config/parse.ts";

const line = (host: string, slots: number | null = null, user: string | null = null): HostLine => ({ host, slots, user });
const hosts = (text: string): readonly HostLine[] => {
  const parsed = parseHostfile(text);
  return parsed.ok ? parsed.hosts : assert.fail(`${parsed.line}: ${parsed.why}`);
};

test("DeepSpeed, Open MPI, MPICH, comments, a host on several lines", () => {
  assert.deepEqual(hosts("worker-1 slots=8\nworker-2 slots=4\n"), [line("worker-1", 8), line("worker-2", 4)]);
  assert.deepEqual(hosts("# all\r\n\r\nnode0 slots = 2 max_slots=4 # two\nann@10.0.0.2\n"), [line("node0", 2), line("10.0.0.2", null, "ann")]);
  assert.deepEqual(hosts("a:4\nb:2"), [line("a", 4), line("b", 2)]);
  assert.deepEqual(hosts("a\nb\na\na\n"), [line("a", 3), line("b")]);
});

test("what is none is refused with its line", () => {
  const cases: readonly (readonly [string, number, RegExp])[] = [
    ["", 1, /no host/],
    ["a slots=8\n; b", 2, /`;`/],
    ["a slots=many", 1, /slots=many/],
    ["a 8", 1, /`8`/],
    ["a slots=0", 1, /from 1/],
    ["<html>", 1, /no host's name/],
  ];
  for (const [text, at, why] of cases) {
    const parsed = parseHostfile(text);
    assert.ok(!parsed.ok && parsed.line === at && why.test(parsed.why), text);
  }
  fc.assert(fc.property(fc.string(), (text) => typeof parseHostfile(text).ok === "boolean"));
});

const name = fc.stringMatching(/^[a-z0-9][a-z0-9.-]{0,20}[a-z0-9]$/);
const some = fc.uniqueArray(
  fc.record({ host: name, slots: fc.option(fc.integer({ min: 1, max: 64 })), user: fc.option(fc.stringMatching(/^[a-z_][\w-]{0,10}$/)) }),
  {
    selector: ({ host }) => host,
    minLength: 1,
    maxLength: 20,
  },
);

test("the file says what was asked for and is valid, also with names that YAML takes for something else", () => {
  const known = [line("no"), line("on", 2, "y"), line("1e3"), line("0x10", null, "null"), line("10.0.0.1")];
  fc.assert(
    fc.property(
      fc.oneof(fc.constant(known), some),
      fc.option(fc.integer({ min: 1, max: 16 })),
      fc.option(fc.string({ minLength: 1 })),
      fc.string(),
      (list, gpus, script, whence) => {
        const text = firstFile({ hosts: list, gpus, script, whence });
        const parsed = parseClusterText(text, "cluster.yaml");
        assert.ok(parsed.ok, text);
        const { cluster, job, defaults } = parsed.file;
        assert.ok(Array.isArray(cluster));
        assert.deepEqual(
          cluster.map((entry) => (typeof entry === "string" ? entry : [entry.host, entry.gpus ?? null, entry.user ?? null])),
          list.map(({ host, slots, user }) => [host, slots, user]),
        );
        assert.deepEqual([job?.script ?? null, defaults?.gpus], [script, gpus ?? "auto"]);
      },
    ),
  );
});

test("each key that stands in a comment can be uncommented", () => {
  const text = firstFile({ hosts: [line("a")], gpus: null, script: null, whence: "a test" });
  const rows = text.split("\n");
  const commented = rows.flatMap((row, k) => (/^# {0,2}\w+: \S/.test(row) && !row.includes("nexadist up") ? [k] : []));
  assert.equal(commented.length, 5, text);
  for (const k of commented) {
    const one = rows.with(k, (rows[k] ?? "").slice(1)).join("\n");
    const parsed = parseClusterText(one, "cluster.yaml");
    assert.ok(parsed.ok, `${rows[k]}: ${JSON.stringify(parsed.ok ? "" : parsed.problems)}`);
  }
});
