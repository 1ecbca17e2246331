/** scripts/setup: what it runs, when it does nothing, and how it fails; npm and Python are fakes that write down what they were asked. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { makeSandbox, type Sandbox } from "./sandbox.ts";

const FAKE_NPM = 'echo "npm $*" >>"$CALLS"; mkdir -p node_modules';
/** -m venv makes an environment whose python is this same fake. */
const FAKE_PYTHON = 'echo "python $*" >>"$CALLS"; case "$*" in *"-m venv"*) mkdir -p .venv/bin; cat "$0" >.venv/bin/python; chmod 755 .venv/bin/python ;; esac';

function checkout(t: TestContext): Sandbox & { readonly setup: (...args: string[]) => ReturnType<Sandbox["run"]>; readonly calls: () => string[] } {
  const sandbox = makeSandbox(t);
  for (const path of ["scripts/setup", "package-lock.json", ".npmrc", "python/requirements.txt", "python/requirements-dev.txt", "python/requirements-uv.txt"]) {
    sandbox.copy(path);
  }
  sandbox.fake("npm", FAKE_NPM);
  sandbox.fake("python3", FAKE_PYTHON);
  for (const server of ["sshd", "ssh", "fish", "zsh", "tcsh", "tmux", "ip", "nft", "ps", "prometheus"]) sandbox.fake(server, "exit 99");
  const log = join(sandbox.dir, "calls");
  writeFileSync(log, "");
  return {
    ...sandbox,
    setup: (...args) => sandbox.run([join(sandbox.dir, "scripts/setup"), ...args], { CALLS: log }),
    calls: () => readFileSync(log, "utf8").split("\n").filter(Boolean),
  };
}

test("a fresh checkout gets Node packages and Python, checkers only with --tests", async (t) => {
  const { setup, calls } = checkout(t);
  assert.equal((await setup()).code, 0);
  const first = calls();
  assert.match(first[0] ?? "", /^npm ci .*--ignore-scripts/);
  assert.ok(first.some((call) => /uv pip install .*--require-hashes -r python\/requirements.txt$/.test(call)));
  assert.ok(!first.some((call) => call.includes("requirements-dev")));
  assert.equal((await setup("--tests")).code, 0);
  const second = calls().slice(first.length);
  assert.ok(second.some((call) => call.endsWith("-r python/requirements-dev.txt")));
  assert.ok(!second.some((call) => call.startsWith("npm")));
});

test("a second run asks nobody and says nothing", async (t) => {
  const { setup, calls, fake, dir } = checkout(t);
  await setup("--tests");
  const before = calls();
  for (const tool of ["npm", "python3"]) fake(tool, "exit 98");
  writeFileSync(join(dir, ".venv/bin/python"), "#!/bin/sh\nexit 98\n");
  assert.deepEqual(await setup("--tests"), { code: 0, stdout: "", stderr: "" });
  assert.deepEqual(calls(), before);
});

test("a changed lock is installed over what is there, and only that one", async (t) => {
  const { setup, calls, write, dir } = checkout(t);
  await setup();
  const before = calls().length;
  write("package-lock.json", "{}");
  await setup();
  const after = calls().slice(before);
  assert.equal(after.length, 1);
  assert.match(after[0] ?? "", /^npm install --no-save/);
  assert.ok(existsSync(join(dir, "node_modules/.nexadist-lock")));
});

test("a failure names the step, shows the end of what it said and where the rest is, and is tried again", async (t) => {
  const { setup, fake, calls, dir } = checkout(t);
  fake("npm", 'echo "E_SOMETHING broke"; exit 1');
  const ran = await setup();
  assert.equal(ran.code, 1);
  assert.match(ran.stderr, /\| E_SOMETHING broke\n/);
  assert.match(ran.stderr, /failed: Node packages.*; all of it is in .*\.build\/setup\.log/);
  assert.ok(!existsSync(join(dir, ".build/setup.lock")), "the lock is gone");
  fake("npm", FAKE_NPM);
  assert.equal((await setup()).code, 0);
  assert.equal(calls().filter((call) => call.startsWith("npm")).length, 1);
});

test("without npm or Python: one sentence each", async (t) => {
  const { setup, fake } = checkout(t);
  fake("npm", "exit 1");
  fake("python3", "exit 1");
  const sentence = (text: string) => text.split("\n").filter((line) => line.startsWith("setup: "));
  const noNpm = makeSandbox(t);
  for (const path of ["scripts/setup", "package-lock.json", ".npmrc"]) noNpm.copy(path);
  assert.deepEqual(sentence((await noNpm.run([join(noNpm.dir, "scripts/setup")])).stderr), [
    "setup: npm is missing; install Node.js 20 or newer (it brings npm), then run this again",
  ]);
  fake("npm", FAKE_NPM);
  const ran = await setup();
  assert.equal(ran.code, 1);
  assert.match(sentence(ran.stderr).at(-1) ?? "", /^setup: Python 3.11 or newer with its venv module is missing/);
});

test("two at once do the work once; a dead one's lock is in nobody's way", async (t) => {
  const { setup, calls, dir } = checkout(t);
  mkdirSync(join(dir, ".build/setup.lock"), { recursive: true });
  // Larger than any PID the kernel gives.
  writeFileSync(join(dir, ".build/setup.lock/pid"), "99999999\n");
  const ran = await Promise.all([setup(), setup()]);
  assert.deepEqual(
    ran.map(({ code }) => code),
    [0, 0],
  );
  assert.equal(calls().filter((call) => call.startsWith("npm")).length, 1);
});
