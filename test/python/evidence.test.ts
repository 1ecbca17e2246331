/** What a host tells of the end of an attempt: error files as ranks left them, and the kernel's log where it may be read. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { hostEvidence } from "../../cluster/host-evidence.ts";
import { PYTHON, PYTHON_DIR } from "../support/shims.ts";

function attemptDir(t: TestContext): { readonly dir: string; readonly put: (name: string, text: string, at?: number) => void } {
  const dir = mkdtempSync(join(tmpdir(), "nxd-evidence-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  mkdirSync(join(dir, "error"));
  const put = (name: string, text: string, at = 1_795_437_795): void => {
    writeFileSync(join(dir, "error", name), text);
    utimesSync(join(dir, "error", name), at, at);
  };
  return { dir, put };
}

const read = (dir: string, since = 0) => {
  const said = execFileSync(PYTHON, ["-I", "-S", join(PYTHON_DIR, "evidence.py"), dir, String(since)], { encoding: "utf8", timeout: 30_000 });
  return hostEvidence.parse({ ...(JSON.parse(said) as object), oomKills: null, sizes: {} });
};

/** Calls one function of the module, with a PATH of its own. */
const call = (expression: string, path: string): unknown =>
  JSON.parse(
    execFileSync(
      PYTHON,
      [
        "-I",
        "-S",
        "-c",
        `import sys; sys.dont_write_bytecode = True; sys.path.insert(0, ${JSON.stringify(PYTHON_DIR)}); import evidence, json; print(json.dumps(${expression}))`,
      ],
      {
        encoding: "utf8",
        env: { PATH: path },
        timeout: 30_000,
      },
    ),
  );

test("error files: the earliest first, both shapes, and text that is no JSON", (t) => {
  const { dir, put } = attemptDir(t);
  put("rank3.json", '{"message": {"message": "ValueError: boom", "extraInfo": {"py_callstack": "Traceback", "timestamp": "1795437792"}}}');
  put("rank1.json", '{"message": "KeyError: 1"}', 1_795_437_700);
  put("rank12.json", "{torn", 1_795_437_900);
  put("rank13.json", "[1]", 1_795_437_901);
  assert.deepEqual(read(dir).errors, [
    { rank: 1, message: "KeyError: 1", callstack: "", at: 1_795_437_700_000 },
    { rank: 3, message: "ValueError: boom", callstack: "Traceback", at: 1_795_437_795_000 },
    { rank: 12, message: "{torn", callstack: "", at: 1_795_437_900_000 },
    { rank: 13, message: "[1]", callstack: "", at: 1_795_437_901_000 },
  ]);
});

test("a disk without room is told, of a directory that is not there yet too; one with room is not", {
  skip: process.getuid?.() !== 0 && "needs root for a small tmpfs",
}, (t) => {
  const { dir } = attemptDir(t);
  const small = join(dir, "small");
  mkdirSync(small);
  const look = `${PYTHON} -I -S ${join(PYTHON_DIR, "evidence.py")} ${dir} 0 ${small}/none/yet`;
  const inside = (then: string): string[] => {
    const said = execFileSync("unshare", ["-m", "sh", "-c", `mount -t tmpfs -o size=1m none ${small} && ${then}${look}`], {
      encoding: "utf8",
      timeout: 30_000,
    });
    return hostEvidence.parse({ ...(JSON.parse(said) as object), oomKills: null, sizes: {} }).fullDisks.filter((path) => path.startsWith(dir));
  };
  assert.deepEqual(inside(""), []);
  assert.deepEqual(inside(`head -c 2000000 /dev/zero > ${small}/x 2>&-; `), [`${small}/none/yet`]);
});

test("what a hostile rank leaves there holds nobody up and stays within its bounds", (t) => {
  const { dir, put } = attemptDir(t);
  execFileSync("mkfifo", [join(dir, "error", "rank0.json")]);
  symlinkSync("/dev/zero", join(dir, "error", "rank1.json"));
  mkdirSync(join(dir, "error", "rank2.json"));
  put("rank4.json", JSON.stringify({ message: { message: "x".repeat(3_000_000), extraInfo: { py_callstack: 7, timestamp: "nan" } } }));
  put("rank5.json", `${"[".repeat(100_000)}`);
  put("rank6.json", JSON.stringify({ message: { message: "x".repeat(90_000), extraInfo: { py_callstack: "y".repeat(90_000), timestamp: {} } } }));
  put("rank007.json", '{"message": "no rank"}');
  put("other.json", '{"message": "none"}');
  const { errors } = read(dir);
  assert.ok(errors.every(({ rank }) => [1, 4, 5, 6].includes(rank)));
  assert.ok(errors.some(({ rank, callstack }) => rank === 6 && callstack.endsWith("y")));
});

test("no directory is no error", () => {
  assert.deepEqual(read("/nonexistent").errors, []);
});

test("dmesg: lines since then that may matter, each with its time; a refusal is told", (t) => {
  const { dir } = attemptDir(t);
  const bin = join(dir, "bin");
  mkdirSync(bin);
  const dmesg = (script: string): void => {
    writeFileSync(join(bin, "dmesg"), `#!/bin/sh\n${script}\n`);
    chmodSync(join(bin, "dmesg"), 0o755);
  };
  dmesg('echo "[    0.000001] Linux version 6"; echo "[    1.500000] NVRM: Xid (PCI:0000:2b:00): 79, GPU has fallen off the bus."');
  const lines = call("[x for x in evidence.from_dmesg(0) if evidence.INTEREST.search(str(x['text']))]", `${bin}:/usr/bin:/bin`) as {
    at: number;
    text: string;
  }[];
  assert.deepEqual(
    lines.map(({ text }) => text),
    ["NVRM: Xid (PCI:0000:2b:00): 79, GPU has fallen off the bus."],
  );
  assert.ok(lines.every(({ at }) => at > 0 && at <= Date.now()));
  assert.deepEqual(call(`evidence.from_dmesg(${Date.now() + 60_000})`, `${bin}:/usr/bin:/bin`), [], "older lines are not told");
  dmesg('echo "dmesg: read kernel buffer failed: Operation not permitted" >&2; exit 1');
  assert.throws(() => call("evidence.from_dmesg(0)", `${bin}:/usr/bin:/bin`), /Operation not permitted/);
  dmesg("exec sleep 600");
  assert.throws(() => call("evidence.from_dmesg(0)", `${bin}:/usr/bin:/bin`), /TimeoutExpired/);
});

test("the kernel's log is read, or it is said why not", (t) => {
  const { kernel, kernelWhy } = read(attemptDir(t).dir);
  assert.ok(kernelWhy === null || kernelWhy.length > 3);
  if (kernelWhy !== null) assert.deepEqual(kernel, []);
});
