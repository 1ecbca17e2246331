/** No path and no link of a snapshot leads out of the directory it is built in. */

import assert from "node:assert/strict";
import { posix } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { parseStream } from "../../agent/log-streams.ts";
import { linkProblem, pathProblem, treeProblem } from "../../agent/safe-path.ts";

const segment = fc.oneof(fc.constantFrom("..", ".", "", "a", "b", "~", "a\\b"), fc.string({ maxLength: 5 }));
const path = fc.array(segment, { maxLength: 6 }).map((parts) => parts.join("/"));
const file = (name: string) => ({ path: name, mode: 0o644, size: 0, sha256: "0".repeat(64) });
const link = (name: string, target: string) => ({ path: name, mode: 0o777, size: 0, link: target });

test("an accepted path is normal, relative and beneath", () => {
  fc.assert(
    fc.property(path, (name) => {
      if (pathProblem(name) !== null) return;
      assert.equal(posix.normalize(name), name);
      assert.ok(posix.resolve("/root/x", name).startsWith("/root/x/"));
    }),
  );
});

test("an accepted link resolves beneath the root", () => {
  fc.assert(
    fc.property(path, path, (name, target) => {
      if (pathProblem(name) !== null || linkProblem(name, target) !== null) return;
      assert.match(posix.resolve("/root/x", posix.dirname(name), target), /^\/root\/x(\/|$)/);
    }),
  );
});

test("trees: twice, beneath a file or a link, through a link, without a hash", () => {
  assert.equal(treeProblem([file("a"), file("b/c"), link("b/d", "../a")]), null);
  for (const bad of [
    [file("a"), file("a")],
    [file("a"), file("a/b")],
    [link("a", "b"), file("a/x")],
    [link("a", "b/c"), link("d", "a/../..")],
    [link("a", "b/.."), link("c", "a/x")],
    [{ ...file("a"), sha256: "x" }],
    [link("a", "/etc/passwd")],
    [link("a", "../x")],
  ]) {
    assert.notEqual(treeProblem(bad), null, JSON.stringify(bad));
  }
});

test("only names of streams become paths", () => {
  assert.deepEqual(parseStream("a12/rank3.out"), { attempt: 12, file: "rank3.out" });
  for (const bad of ["a1/../rank0.out", "a1/arm.json", "a1/rank0.out/x", "/a1/rank0.out", "a1/error/rank0.json", "a-1/rank0.out", "a1/rank0.out\n"]) {
    assert.equal(parseStream(bad), null, bad);
  }
});
