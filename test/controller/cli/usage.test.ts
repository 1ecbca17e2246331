/** The command line itself: help, typos, errors in three lines or as JSON, and what happens before anything is reached. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { COMMANDS, GLOBALS } from "../../../controller/cli/commands.ts";
import { ENTRY, nexadist, place } from "../../support/cli.ts";

test("version is answered, --json names its schema", async (t) => {
  const at = place(t);
  for (const args of [["version"], ["--version"], ["-V"]]) assert.match((await nexadist(t, at, args)).out, /^\d+\.\d+\.\d+\n$/);
  assert.equal((JSON.parse((await nexadist(t, at, ["version", "--json"])).out) as { schema: number }).schema, 1);
});

test("typos are answered with the nearest name and exit 2", async (t) => {
  const at = place(t);
  for (const [args, cure] of [
    [["stauts"], /did you mean status\?/],
    [["up", "--dry-rum"], /did you mean --dry-run\?/],
    [["agent", "upgrad"], /did you mean upgrade\?/],
    [["logs", "--rank", "x"], /--rank 0,3-5/],
    [["logs", "--grep", "("], /--grep/],
    [["stop", "--timeout", "soon"], /--timeout 60s/],
    [["runs", "--limit", "0"], /--limit/],
    [["ps", "--", "x"], /takes nothing after --/],
    [["shell", "somewhere"], /needs a terminal/],
  ] as const) {
    const said = await nexadist(t, at, args);
    assert.equal(said.code, 2, `${args.join(" ")}: ${said.err}`);
    assert.match(said.err, cure);
    assert.doesNotMatch(said.err, / at .*\.ts:/);
  }
  assert.ok(!existsSync(join(at.dir, "state/controller.sock")), "no controller was started for a typo");
});

test("a cure names the cluster file that was named, as it was; and none where none was", async (t) => {
  const at = place(t);
  const text = "cluster: [{host: a, gpus: 0, slots: 1}]\n";
  for (const file of ["cluster.yaml", "other.yaml"]) at.write(file, text);
  for (const [args, cure] of [
    [["hosts", "other.yaml", "--host", "b"], /try: nexadist config show -c other\.yaml lists/],
    [["hosts", "-c", "other.yaml", "--host", "b"], /try: nexadist config show -c other\.yaml lists/],
    [["hosts", "--host", "b"], /try: nexadist config show lists/],
  ] as const)
    assert.match((await nexadist(t, at, args)).err, cure);
  const json = await nexadist(t, at, ["exec", "other.yaml", "--host", "b", "--json", "--", "true"]);
  assert.match((JSON.parse(json.out) as { error: { hint: string } }).error.hint, /config show -c other\.yaml/);
});

test("errors: what, what to do; as JSON one object on stdout", async (t) => {
  const at = place(t);
  const none = await nexadist(t, at, ["up"]);
  assert.equal(none.code, 3);
  assert.match(none.err, /^nexadist up: cannot read cluster\.yaml: no such file\n {2}try: /);
  const asJson = await nexadist(t, at, ["up", "--json"]);
  const { schema, error } = JSON.parse(asJson.out) as { schema: number; error: { code: string; exit: number } };
  assert.deepEqual([schema, error.code, error.exit, asJson.err, asJson.code], [1, "CLUSTER_FILE", 3, "", 3]);
  at.write("cluster.yaml", "cluster:\n  - host: a\n    gpsu: 4\n");
  const broken = await nexadist(t, at, ["up"]);
  assert.equal(broken.code, 3);
  assert.match(broken.err, /^cluster\.yaml:3:5: /);
  assert.match(broken.err, /gpus/);
  const problems = JSON.parse((await nexadist(t, at, ["hosts", "--json"])).out) as { error: { problems: { line: number; column: number }[] } };
  assert.deepEqual(
    problems.error.problems.map((p) => [p.line, p.column]),
    [[3, 5]],
  );
  at.write("cluster.yaml", "cluster: [{host: gpu-a}, {host: gpu-b}]\n");
  for (const [args, words] of [
    [["hosts", "--host", "nope"], /nope is none of the hosts\n.*\n.*\n.*name some of: gpu-a, gpu-b/],
    [["up", "--host", "gpu[1-1000000000]"], /is too large/],
    [["exec", "--exclude", "gpu-a,gpu-b", "--", "x"], /no host is left/],
    [["exec", "--raw", "--", "x"], /--raw takes one host, and 2 are meant\n {2}try: nexadist exec --raw --host gpu-a -- COMMAND/],
    [["exec", "--raw", "--json", "--host", "gpu-a", "--", "x"], /two ways to write one output/],
  ] as const) {
    const chosen = await nexadist(t, at, args);
    assert.equal(chosen.code, 2, `a flag is wrong, not the file: ${chosen.err}`);
    assert.match(chosen.err + chosen.out, words);
  }
  const script = await nexadist(t, at, ["up", "train.py"]);
  assert.match(script.err, /try: nexadist up -- train\.py/);
});

test("a stdout that cannot be written is one sentence and exit 1", { skip: existsSync("/dev/full") ? false : "no /dev/full here" }, (t) => {
  const at = place(t);
  at.write("cluster.yaml", "cluster: [{host: gpu-a}]\n");
  const fd = openSync("/dev/full", "w");
  t.after(() => closeSync(fd));
  for (const args of [["version"], ["--help"], ["config", "show"], ["config", "show", "--json"], ["hosts", "--json", "--host", "nope"]]) {
    const env = { PATH: process.env.PATH, HOME: at.home, LANG: "C.UTF-8", NEXADIST_STATE_DIR: join(at.dir, "state") };
    const said = spawnSync(process.execPath, [ENTRY, ...args], { cwd: at.dir, env, stdio: ["ignore", fd, "pipe"], encoding: "utf8" });
    assert.deepEqual([said.status, said.stderr], [1, "nexadist: stdout cannot be written: no space left on device\n"], args.join(" "));
  }
});

test("every command has help with examples first, and its words after -- are its own", async (t) => {
  const at = place(t);
  for (const spec of COMMANDS.filter((each) => ["up", "exec", "cp", "agent status"].includes(each.name))) {
    const said = await nexadist(t, at, [...spec.name.split(" "), "--help"]);
    assert.equal(said.code, 0, said.err);
    assert.ok(said.out.startsWith("Examples:\n"), spec.name);
  }
  assert.match((await nexadist(t, at, ["up", "--help"])).out, /Usage: nexadist up \[options\] \[file\] -- job\.\.\./);
});

/** New knobs go into the cluster file: a flag here is for ever. */
test("the flags of up are frozen", () => {
  const flags = COMMANDS.find((spec) => spec.name === "up")?.options.map(([name]) => name.split(" ").find((word) => word.startsWith("--")));
  assert.deepEqual(flags, [
    "--detach",
    "--dry-run",
    "--name",
    "--set",
    "--host",
    "--exclude",
    "--no-sync",
    "--wait",
    "--force",
    "--ui",
    "--readonly",
    "--ascii",
    "--accept-new-host-keys",
  ]);
  assert.deepEqual(
    GLOBALS.map(([name]) => name.split(/[ ,]+/).find((word) => word.startsWith("--"))),
    ["--cluster", "--json", "--quiet", "--verbose", "--color", "--no-color", "--no-input", "--yes"],
  );
});

test("common slips are answered with the command that was meant, and a wrong flag is no wrong file", async (t) => {
  const at = place(t);
  at.write("cluster.yaml", "cluster: [{host: gpu-a}, {host: gpu-b}]\n");
  for (const [args, words] of [
    [["up", "cluster.yaml", "train.py"], /^nexadist up: .*\n {2}try: did you mean: nexadist up cluster\.yaml -- train\.py\n$/],
    [["up", "train.py", "--lr", "3"], /did you mean: nexadist up -- train\.py --lr 3\n/],
    [["cp", "-r", "dir", "gpu-a:"], /directories go whole without it: nexadist cp dir gpu-a:\n/],
    [["up", "--set", "foo.bar=1"], /^--set:1:1: foo: unknown key\n.*\n.*\n.*valid here: /],
    [["up", "--name", "a b"], /^--name:1:1: /],
    [["config", "validate", "--set", "gpsu=1"], /^--set:1:1: gpsu: unknown key/],
    [["up", "--", "nosuch.py"], /^after --:1:1: no such file: nosuch\.py/],
    [["exec", "--", "echo $HOSTNAME; echo e >&2"], /try: nexadist exec -- sh -c 'echo \$HOSTNAME; echo e >&2'\n$/],
    [["exec", "--", "df -h"], /try: nexadist exec -- df -h\n$/],
    [["agent", "status", "--frce"], /^nexadist agent status: unknown option/],
  ] as const) {
    const said = await nexadist(t, at, args);
    assert.equal(said.code, 2, `${args.join(" ")}: ${said.err}`);
    assert.match(said.err, words);
  }
  const none = await nexadist(t, place(t), ["exec", "--", "ls"]);
  assert.match(none.err, /try: name the cluster file: nexadist exec FILE -- COMMAND, or -c FILE\n/);
  const state = at.write("a-file", "");
  assert.match((await nexadist(t, at, ["ps"], { NEXADIST_STATE_DIR: state })).err, /a-file cannot be written: it is no directory\n/);
});
