/** What a word on the command line can be, by the words before it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { COMMANDS, GLOBALS } from "../../../controller/cli/commands.ts";
import { hostsIn, hostsOfSsh } from "../../../controller/cli/complete-lists.ts";
import { whatCompletes } from "../../../controller/cli/complete-what.ts";

const what = (line: string) => whatCompletes(line.split(" "), COMMANDS, GLOBALS);
const names = (line: string): readonly string[] => {
  const wanted = what(line);
  return wanted.kind === "these" ? wanted.choices.map(([value]) => value) : assert.fail(`${line}: ${wanted.kind}`);
};
const kind = (line: string): string => what(line).kind;

test("commands, then the words of a group", () => {
  for (const { name } of COMMANDS) assert.ok(names("").includes(name.split(" ")[0] ?? ""), name);
  assert.equal(new Set(names("")).size, names("").length);
  assert.deepEqual(names("agent "), ["status", "upgrade", "uninstall"]);
  assert.deepEqual(names("--json agent "), ["status", "upgrade", "uninstall"]);
});

test("options of the command and of all, without those that are there already", () => {
  const options = names("logs --follow -");
  assert.ok(options.includes("--grep") && options.includes("--json") && options.includes("--host"));
  assert.ok(!options.includes("--follow") && !options.includes("--detach"));
  assert.ok(names("logs --host gpu-a -").includes("--host"), "it may be given again");
  assert.ok(!names("logs -n 5 -").includes("--lines"), "its short form was given");
});

test("values by what the table calls them", () => {
  assert.deepEqual(["logs ", "up ", "shell ", "cp ", "cp a ", "explain ", "record "].map(kind), ["runs", "files", "hosts", "paths", "paths", "codes", "runs"]);
  assert.deepEqual(["logs --rank ", "logs --host ", "logs --stream ", "diag --only ", "up --set ", "ps -c "].map(kind), [
    ...["ranks", "hosts", "streams", "checks", "keys", "files"],
  ]);
  assert.deepEqual(["runs ", "logs a b ", "logs --grep ", "absent "].map(kind), ["nothing", "nothing", "nothing", "these"]);
  assert.equal(kind("up -- train.py "), "files");
});

test("a value after =, the file that was named, the run that is meant", () => {
  assert.deepEqual(what("logs --rank=3"), { kind: "ranks", before: "--rank=", file: null, run: null });
  assert.deepEqual(what("logs train_1 --rank "), { kind: "ranks", before: "", file: null, run: "train_1" });
  assert.deepEqual(what("gpus -c my.yaml --host "), { kind: "hosts", before: "", file: "my.yaml", run: null });
  assert.deepEqual(what("hosts my.yaml --host "), { kind: "hosts", before: "", file: "my.yaml", run: null });
  assert.deepEqual(what("gpus --cluster=my.yaml --host "), { kind: "hosts", before: "", file: "my.yaml", run: null });
});

test("whatever is typed, it answers", () => {
  const words = fc.array(fc.oneof(fc.string(), fc.constantFrom(...COMMANDS.flatMap(({ name }) => name.split(" ")), "--", "-c", "--host", "--set=")));
  fc.assert(
    fc.property(words, (line) => {
      assert.ok(whatCompletes(line, COMMANDS, GLOBALS).kind !== undefined);
    }),
  );
});

test("hosts of a cluster file as people write them, also of half a one", () => {
  assert.deepEqual(hostsIn("cluster:\n  - host: gpu-a\n    gpus: 8\n  - {host: 'gpu[1-3]', user: ann}\n  # - host: old\nspares:\n  - host: sp-1\n"), [
    ...["gpu-a", "gpu1", "gpu2", "gpu3", "sp-1"],
  ]);
  assert.deepEqual(hostsIn("cluster: [a, 'b[1-2]']\n").length > 0, true);
  assert.deepEqual(hostsIn("cluster:\n  - a\n  - b\n"), ["a", "b"]);
  assert.deepEqual(hostsIn("cluster: [{host: x}, {host: y}"), ["x", "y"]);
  assert.deepEqual(hostsIn(""), []);
  assert.deepEqual(hostsOfSsh("Host gpu-a gpu-b\n  HostName 1\nHost *\nhost jump !no w?\n"), ["gpu-a", "gpu-b", "jump"]);
});
