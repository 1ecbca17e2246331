/** Making a host ready: the session's environment, setup lines, python, scratch, and where secrets are. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { keepFresh } from "../../agent/keep-fresh.ts";
import { findPython, matches } from "../../agent/prepare.ts";
import { eraseSecrets, readSecret, writeSecret } from "../../agent/secret-files.ts";
import { runSetup } from "../../agent/setup.ts";
import { connect, record, startAgent } from "../support/agent.ts";
import { askHost } from "../support/host-helper.ts";

function scratch(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "nxd-prepare-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

const PATH = process.env.PATH ?? "";
const never = (files: readonly string[]): void => assert.deepEqual(files, [], "no script, environment or output stays");

test("setup: exports, functions, values with newlines, a sourced file that fails inside, background children", async (t) => {
  const dir = scratch(t);
  const work = join(dir, "work");
  writeFileSync(join(dir, "activate"), "false\nexport FROM_FILE=1\n");
  const lines = [
    "export A=$'two\\nlines' B=é",
    "f() { false; export C=3; }",
    "f",
    ". ./activate",
    "false || true",
    "sleep 30 & echo $! > pid",
    "export PATH=/opt/x:$PATH",
  ].join("\n");
  const found = await runSetup(lines, { PATH, HOME: dir, SECRET: "kept" }, dir, work);
  process.kill(Number(readFileSync(join(dir, "pid"), "utf8")), "SIGKILL");
  assert.equal(found.A, "two\nlines");
  assert.equal(found.B, "é");
  assert.deepEqual([found.C, found.FROM_FILE, found.SECRET], ["3", "1", "kept"]);
  assert.match(found.PATH ?? "", /^\/opt\/x:/);
  assert.ok(!("SHLVL" in found) && !("_" in found) && !Object.keys(found).some((name) => name.includes("nexadist")));
  never(readdirSync(work));
});

test("setup: a failure names its line, its text and the last output; an early exit and a time-out are failures too", async (t) => {
  const dir = scratch(t);
  const work = join(dir, "work");
  const run = (lines: string, limitMs?: number) => runSetup(lines, { PATH, HOME: dir }, dir, work, limitMs);
  await assert.rejects(run("echo one\necho two >&2\nls /no/such/dir\necho three"), (error: Error) => {
    assert.match(error.message, /setup failed at line 3: ls \/no\/such\/dir \(exit 2\)\nlast output:\none\ntwo\nls: /);
    assert.doesNotMatch(error.message, /three/);
    return true;
  });
  await assert.rejects(run("export A=1\nexit 0"), { code: "SETUP_FAILED", message: /exit 0, before its last line/ });
  await assert.rejects(run("if true; then"), { code: "SETUP_FAILED", message: /unexpected end of file/ });
  await assert.rejects(run("sleep 60", 300), { code: "SETUP_TIMEOUT" });
  never(readdirSync(work));
});

test("python: the wish as a file, a directory, from the home; without one what setup's PATH says", (t) => {
  const home = scratch(t);
  mkdirSync(join(home, "env/bin"), { recursive: true });
  writeFileSync(join(home, "env/bin/python"), "", { mode: 0o755 });
  const environment = { PATH: `${join(home, "env/bin")}:/usr/bin` };
  const expected = join(home, "env/bin/python");
  for (const wish of ["env", "~/env", "env/bin/python", expected]) assert.equal(findPython(wish, { PATH: "" }, home), expected, wish);
  assert.equal(findPython(null, environment, home), expected);
  assert.equal(findPython("python", environment, home), expected);
  assert.equal(findPython("no/such", environment, home), null);
  assert.equal(findPython(null, { PATH: "relative:" }, home), null);
  assert.deepEqual([matches("PET_X", "PET_*"), matches("PETX", "PET_*"), matches("RANK", "RANK"), matches("RANKS", "RANK")], [true, false, true, false]);
});

test("prepare: the environment of a fresh session is the base; scratch before the ranks, elsewhere with a word; secrets in memory only", async (t) => {
  const agent = await startAgent(t);
  const client = await connect(t, agent);
  await client.as("r1", 1, { do: "adopt", record: record("r1", 1, "c1") });
  const plain = {
    do: "prepare" as const,
    python: null,
    setup: null,
    sessionEnv: null,
    secrets: { TOKEN: "canary-9" },
    scratch: "work",
    ranks: [3, 4],
    inPlace: null,
    hashScript: null,
  };
  await assert.rejects(client.as("r1", 1, plain), { code: "NOT_PREPARED" });
  const kept = await askHost({ op: "env", stateDir: agent.root, key: agent.key, run: "r1" }, { env: { HOME: agent.home, FROM_SESSION: "yes" } });
  assert.ok(kept.ok);
  const reply = (await client.as("r1", 1, { ...plain, setup: 'export GOT="$FROM_SESSION-$TOKEN"' })) as {
    scratch: string;
    notes: string[];
    sessionNames: string[];
  };
  assert.equal(reply.scratch, join(agent.home, "work/r1"));
  assert.ok(statSync(join(reply.scratch, "rank_4")).isDirectory());
  assert.ok(reply.sessionNames.includes("GOT") && reply.sessionNames.includes("FROM_SESSION"));
  assert.deepEqual(reply.notes, []);
  const memory = `/dev/shm/nexadist-${process.getuid?.()}/${agent.key}/r1`;
  for (const name of readdirSync(memory)) assert.equal(statSync(join(memory, name)).mode & 0o777, 0o600, name);
  writeFileSync(join(agent.home, "file"), "");
  const fallback = (await client.as("r1", 1, { ...plain, scratch: "file/x" })) as { scratch: string; notes: string[] };
  assert.equal(fallback.scratch, join(agent.home, "nexadist-scratch/r1"));
  assert.match(fallback.notes[0] ?? "", /scratch .*file\/x cannot be made \(ENOTDIR\); using /);
  await assert.rejects(client.as("r1", 1, { ...plain, inPlace: "no/such" }), { code: "JOB_DIR" });

  // A home that holds none either: beside our own state; nowhere at all is a named error.
  const beside = join(agent.home, `.local/state/nexadist-${process.getuid?.()}-scratch`);
  const none = { ...plain, ranks: [7] };
  await client.as("r2", 1, { do: "adopt", record: record("r2", 1, "c1") });
  const fresh = await askHost({ op: "env", stateDir: agent.root, key: agent.key, run: "r2" }, { env: { HOME: join(agent.home, "file") } });
  assert.ok(fresh.ok);
  const elsewhere = (await client.as("r2", 1, { ...none, scratch: "/proc/nope", inPlace: agent.home })) as { scratch: string; notes: string[] };
  assert.equal(elsewhere.scratch, join(beside, "r2"));
  await client.as("r2", 1, { ...none, scratch: "/proc/nope", inPlace: agent.home }); // twice, as after a lost link
  assert.match(elsewhere.notes[0] ?? "", /scratch \/proc\/nope cannot be made \(ENOENT\), nor .*\/file\/nexadist-scratch \(ENOTDIR\); using .*-scratch$/);
  await client.as("r2", 1, { do: "forget" });
  assert.ok(!existsSync(beside), "what was made and stayed empty goes with the run");
  await client.as("r3", 1, { do: "adopt", record: record("r3", 1, "c1") });
  writeFileSync(beside, "");
  const session = { HOME: join(agent.home, "file"), PATH };
  const nowhere = client.as("r3", 1, { ...none, sessionEnv: session, scratch: "/proc/nope", inPlace: agent.home });
  await assert.rejects(nowhere, { code: "HOST_WRITE", message: /^cannot write \/proc\/nope: / });
  mkdirSync(join(agent.home, "pkg/train"), { recursive: true });
  const hashed = async (more: { hashScript: string | null; hashOneOf?: string[] }): Promise<string | null> =>
    ((await client.as("r1", 1, { ...plain, scratch: null, inPlace: agent.home, ...more })) as { scriptSha256: string | null }).scriptSha256;
  const either = { hashScript: null, hashOneOf: ["pkg/train/__main__.py", "pkg/train.py"] };
  assert.equal(await hashed(either), null, "a directory is no file");
  writeFileSync(join(agent.home, "pkg/train.py"), "x");
  const hashOfX = createHash("sha256").update("x").digest("hex");
  assert.deepEqual([await hashed(either), await hashed({ hashScript: "pkg/train.py" }), await hashed({ hashScript: null })], [hashOfX, hashOfX, null]);
  writeFileSync(join(fallback.scratch, "rank_3/model.pt"), "the user's");
  await client.as("r1", 1, { do: "forget" });
  assert.ok(!existsSync(memory));
  assert.ok(existsSync(join(fallback.scratch, "rank_3/model.pt")) && !existsSync(join(fallback.scratch, "rank_4")));
});

test("prepare: the python that setup leaves is asked what it lacks, in its environment; one that cannot say is no refusal", async (t) => {
  const agent = await startAgent(t);
  const client = await connect(t, agent);
  await client.as("r1", 1, { do: "adopt", record: record("r1", 1, "c1") });
  const bin = join(agent.home, "bin");
  for (const [name, lines] of [
    ["says/python", 'echo "banner of a wrapper"; exec python3 "$@"'],
    ["fails/python", "exit 3"],
    ["odd/python", "echo @torch; exit 1"],
  ] as const) {
    mkdirSync(join(bin, name, ".."), { recursive: true });
    writeFileSync(join(bin, name), `#!/bin/sh\n${lines}\n`, { mode: 0o755 });
  }
  mkdirSync(join(agent.home, "more/is_there"), { recursive: true });
  writeFileSync(join(agent.home, "more/is_there/__init__.py"), "raise SystemExit('imported')\n");
  const asked = (setup: string, modules: string[] = ["no_such_torch", "is_there"]) =>
    client.as("r1", 1, {
      do: "prepare",
      python: null,
      setup,
      sessionEnv: { HOME: agent.home, PATH },
      secrets: {},
      scratch: null,
      ranks: [0],
      inPlace: null,
      hashScript: null,
      modules,
    }) as Promise<{ python: string; lacks: string[] | null }>;
  const use = (name: string): string => `export PATH=${bin}/${name}:$PATH`;
  const first = await asked(use("says"));
  assert.deepEqual([first.python, first.lacks], [join(bin, "says/python"), ["no_such_torch", "is_there"]]);
  assert.deepEqual((await asked(`${use("says")}\nexport PYTHONPATH=${agent.home}/more`)).lacks, ["no_such_torch"], "found, and not imported");
  for (const name of ["fails", "odd"]) assert.equal((await asked(use(name))).lacks, null, name);
  assert.equal((await asked(use("says"), [])).lacks, null, "nothing was asked");
});

test("secrets: gone from memory's files they are still known to the agent, until the run is forgotten", (t) => {
  const dir = scratch(t);
  writeSecret(dir, "r1", "secrets", { A: "1" });
  writeSecret(dir, "r10", "secrets", { B: "2" });
  rmSync(join(dir, "r1"), { recursive: true });
  assert.deepEqual(readSecret(dir, "r1", "secrets"), { A: "1" });
  eraseSecrets(dir, "r1");
  assert.equal(readSecret(dir, "r1", "secrets"), null);
  assert.deepEqual(readSecret(dir, "r10", "secrets"), { B: "2" });
});

test("what lies in /tmp is touched, also a socket's neighbours", (t) => {
  const dir = join(scratch(t), "nexadist/key");
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, "token"), "");
  utimesSync(join(dir, "token"), 1, 1);
  keepFresh(dir, join(dir, "absent"));
  assert.ok(statSync(join(dir, "token")).mtimeMs > 1e12);
});
