/** No text crashes the reader, pollutes a prototype, or is taken for a cluster. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseDotenv } from "../../../cluster/config/dotenv.ts";
import { parseClusterText } from "../../../cluster/config/parse.ts";
import { formatProblem } from "../../../cluster/config/problem.ts";
import { HOSTILE } from "./hostile.ts";

const assertClean = (): void => {
  const fresh: Record<string, unknown> = {};
  for (const key of ["polluted", "host", "a", "gpus"]) assert.equal(fresh[key], undefined, `Object.prototype.${key} was set`);
};

for (const [what, text] of Object.entries(HOSTILE)) {
  test(`hostile text: ${what}`, () => {
    const parsed = parseClusterText(text, "c.yaml");
    assert.ok(!parsed.ok);
    assert.ok(parsed.problems.length > 0 && parsed.problems.length <= 10_000);
    const [first] = parsed.problems;
    assert.ok(first !== undefined && first.line >= 1 && first.column >= 1);
    assert.ok(formatProblem(first).length < 2000, "an error is short");
    assertClean();
  });
}

const FRAGMENTS = [
  "cluster:",
  "\n",
  "  - host: a",
  "gpus:",
  " [",
  "]",
  "{",
  "}",
  "&a ",
  "*a",
  "<<: ",
  "!!str ",
  "? ",
  "- ",
  "|\n",
  ">-\n",
  '"',
  "'",
  "#",
  "---\n",
  "...\n",
  "%YAML 1.1\n",
  "\t",
  "\r\n",
  "\ufeff",
  "__proto__: ",
  "a: ",
  "022",
  "{polluted: 1}",
  "\u0000",
  "\ud83d",
];

test("arbitrary text never throws", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: "binary", maxLength: 400 }),
        fc.array(fc.constantFrom(...FRAGMENTS), { maxLength: 40 }).map((parts) => parts.join("")),
      ),
      (text) => {
        const parsed = parseClusterText(text, "c.yaml");
        if (!parsed.ok) for (const problem of parsed.problems) assert.equal(formatProblem(problem).includes("\u001b"), false);
        assertClean();
      },
    ),
    { numRuns: 2000 },
  );
});

test("arbitrary trees never throw, and are accepted only when they are a cluster", () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom("cluster", "defaults", "job", "env", "rdzv", "timeouts", "min_hosts", "x", "__proto__"), fc.jsonValue({ maxDepth: 4 })),
      (tree) => {
        const parsed = parseClusterText(JSON.stringify(tree), "c.yaml");
        if (parsed.ok) assert.ok(typeof parsed.file.cluster === "string" || parsed.file.cluster.length > 0);
        assertClean();
      },
    ),
    { numRuns: 1000 },
  );
});

test("arbitrary env_file text never throws, and no error shows any of it", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
      const parsed = parseDotenv(`CANARY=5f1e${text}`, "x.env");
      if (!parsed.ok) assert.doesNotMatch(parsed.problems.map(formatProblem).join("\n"), /5f1e/);
    }),
    { numRuns: 1000 },
  );
});
