/** scripts/build.ts: what it makes, that a failure leaves the last good build, and that builders do not disturb one another. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Manifest } from "../../scripts/build/manifest.ts";
import { makeSandbox, type Ran, root, runProgram } from "./sandbox.ts";

type Checkout = {
  readonly dir: string;
  readonly write: (path: string, text: string) => string;
  readonly build: (...args: string[]) => Promise<Ran>;
  readonly dist: (path: string) => string;
};

/** A checkout of four entries of a line each. */
function checkout(t: TestContext): Checkout {
  const { dir, write, copy } = makeSandbox(t);
  for (const path of ["scripts/build.ts", "scripts/build"]) copy(path);
  symlinkSync(join(root, "node_modules"), join(dir, "node_modules"));
  write("package.json", '{"type":"module","version":"1.2.3"}');
  write("controller/cli/entry.ts", 'const a: string = "cli"; console.log(a, process.env["NEXADIST_VERSION"]); if (process.argv[2]) await import("./lazy.ts");');
  write("controller/cli/lazy.ts", 'import { parse } from "yaml"; console.log(parse("a: lazy").a);');
  write("controller/daemon/main.ts", 'await import("../cli/lazy.ts");');
  write("controller/cli/seat-entry.ts", 'console.log("seat");');
  write("agent/main.ts", "console.log(typeof require, __dirname === import.meta.dirname);");
  write("python/shim.py", "pass\n");
  write("python/nexa_dist/launch.py", "pass\n");
  write("python/__pycache__/shim.pyc", "x");
  return {
    dir,
    write,
    build: (...args) => runProgram(process.execPath, [join(dir, "scripts/build.ts"), ...args], {}, dir),
    dist: (path) => join(dir, "dist", path),
  };
}

const node = async (...argv: string[]): Promise<string> => (await runProgram(process.execPath, argv, {})).stdout;

test("makes the three programs, the flat Python files, a manifest of the agent's bundle, and the notices", async (t) => {
  const { build, dist } = checkout(t);
  assert.deepEqual(await build(), { code: 0, stdout: "", stderr: "" });
  assert.equal(await node(dist("cli.mjs")), "cli 1.2.3\n");
  assert.equal(await node(dist("cli.mjs"), "lazy"), "cli 1.2.3\nlazy\n");
  assert.equal(await node(dist("daemon.mjs")), "lazy\n");
  assert.equal(await node(dist("agent.mjs")), "function true\n");
  assert.ok(!readFileSync(dist("daemon.mjs"), "utf8").includes("chunks/"), "the daemon outlives its files: it must need no others");
  const { version, agentBundle } = JSON.parse(readFileSync(dist("manifest.json"), "utf8")) as Manifest;
  assert.equal(version, "1.2.3");
  assert.deepEqual(
    agentBundle.files.map(({ name, path }) => [name, path]),
    [
      ["agent.mjs", "agent.mjs"],
      ["shim.py", "python/shim.py"],
    ],
  );
  for (const { path, sha256, size } of agentBundle.files) {
    const content = readFileSync(dist(path));
    assert.deepEqual([content.length, createHash("sha256").update(content).digest("hex")], [size, sha256]);
  }
  const lines = agentBundle.files.map(({ sha256, name }) => `${sha256}  ${name}\n`).join("");
  assert.equal(agentBundle.hash, createHash("sha256").update(lines).digest("hex"));
  assert.match(readFileSync(dist("THIRD-PARTY.txt"), "utf8"), /^yaml \d[\s\S]*Permission to use, copy/);
});

test("a source that does not compile leaves the last good build and its stamp, and shows the place", async (t) => {
  const { build, dist, write, dir } = checkout(t);
  await build();
  const stamp = readFileSync(dist("cli.mjs"), "utf8");
  write("controller/cli/entry.ts", "const = 1;");
  const { code, stderr } = await build();
  assert.equal(code, 1);
  assert.match(stderr, /controller\/cli\/entry\.ts:1:6/);
  assert.doesNotMatch(stderr, /at .*node_modules/, "no trace of the builder itself");
  assert.equal(readFileSync(dist("cli.mjs"), "utf8"), stamp);
  assert.deepEqual(readdirSync(join(dir, ".build")), [], "no lock and no half build is left");
});

test("old chunks stay for programs that run; --clean removes what this build did not make", async (t) => {
  const { build, dist } = checkout(t);
  await build();
  writeFileSync(dist("chunks/old-AAAA.mjs"), "");
  await build();
  assert.ok(existsSync(dist("chunks/old-AAAA.mjs")));
  assert.equal((await build("--clean")).code, 0);
  assert.ok(!existsSync(dist("chunks/old-AAAA.mjs")));
  assert.equal(await node(dist("cli.mjs"), "lazy"), "cli 1.2.3\nlazy\n");
});

test("three at once all end well, also when a builder died with the lock", async (t) => {
  const { build, dist, dir } = checkout(t);
  mkdirSync(join(dir, ".build/build.lock"), { recursive: true });
  // Larger than any PID the kernel gives.
  writeFileSync(join(dir, ".build/build.lock/pid"), "99999999");
  const ran = await Promise.all([build(), build(), build()]);
  assert.deepEqual(
    ran.map(({ code }) => code),
    [0, 0, 0],
  );
  assert.equal(await node(dist("cli.mjs")), "cli 1.2.3\n");
  assert.deepEqual(readdirSync(join(dir, ".build")), []);
});
