/** Snapshots of real directories and repositories: what travels, what is left out and named, what is refused. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { NexaError } from "../../../cluster/errors.ts";
import { treeText } from "../../../cluster/tree.ts";
import { takeSnapshot } from "../../../controller/sync/snapshot.ts";

async function directory(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "nexa-snapshot-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

async function put(root: string, files: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
}

function git(cwd: string, ...args: string[]): void {
  const env = { PATH: process.env.PATH, HOME: cwd, GIT_CONFIG_NOSYSTEM: "1" };
  execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "protocol.file.allow=always", ...args], { cwd, env, stdio: "ignore" });
}

const paths = (s: { entries: readonly { path: string }[] }): string[] => s.entries.map((e) => e.path);
const withCode = (code: string) => (e: unknown) => e instanceof NexaError && e.code === code;

test("in a repository: tracked and untracked, not ignored, not deleted; from a sub-directory only what is below it", async (t) => {
  const root = await directory(t);
  git(root, "init", "-q");
  await put(root, { "a.py": "a", "gone.py": "g", "pkg/mod.py": "m", "pkg/data.bin": "d", ".gitignore": "*.bin\nout/\n", "out/big": "x" });
  git(root, "add", ".");
  git(root, "commit", "-qm", "one");
  await unlink(join(root, "gone.py"));
  await put(root, { "new file\n.py": "n", "-dash.py": "d" });
  assert.deepEqual(paths(await takeSnapshot(root)), ["-dash.py", ".gitignore", "a.py", "new file\n.py", "pkg/mod.py"]);
  assert.deepEqual(paths(await takeSnapshot(join(root, "pkg"))), ["mod.py"]);
  // an ignored directory of a repository: taken as a plain directory
  assert.deepEqual(paths(await takeSnapshot(join(root, "out"))), ["big"]);
});

test("submodules and repositories inside are part of it", async (t) => {
  const root = await directory(t);
  const other = await directory(t);
  git(other, "init", "-q");
  await put(other, { "lib.py": "l", ".gitignore": "junk\n", junk: "j" });
  git(other, "add", ".");
  git(other, "commit", "-qm", "one");
  git(root, "init", "-q");
  git(root, "submodule", "add", "-q", other, "sub");
  git(root, "clone", "-q", other, "inner");
  await put(root, { "inner/junk": "j" });
  const found = paths(await takeSnapshot(root));
  assert.ok(found.includes("sub/lib.py") && found.includes("inner/lib.py"), found.join(" "));
  assert.ok(!found.includes("inner/junk") && !found.some((p) => p.includes(".git/")), found.join(" "));
});

test("outside git: the usual excludes; .nexaignore counts everywhere", async (t) => {
  const root = await directory(t);
  await put(root, { "a.py": "a", ".venv/bin/python": "p", "x/__pycache__/a.pyc": "c", "node_modules/m/i.js": "j", "data/set.bin": "d", "data/keep.txt": "k" });
  await put(root, { ".nexaignore": "data/*\n!data/keep.txt\n" });
  assert.deepEqual(paths(await takeSnapshot(root)), [".nexaignore", "a.py", "data/keep.txt"]);
});

test("links stay when they stay inside; what escapes and what is no file is left out and named", async (t) => {
  const root = await directory(t);
  await put(root, { "a.py": "a", "d/b.py": "b" });
  await symlink("../a.py", join(root, "d/in"));
  await symlink("nowhere", join(root, "dangling"));
  await symlink("../../etc/passwd", join(root, "d/out"));
  await symlink("/etc/passwd", join(root, "absolute"));
  await symlink("d", join(root, "dir"));
  execFileSync("mkfifo", [join(root, "fifo")]);
  const s = await takeSnapshot(root);
  assert.deepEqual(paths(s), ["a.py", "d/b.py", "d/in", "dangling", "dir"]);
  assert.equal(s.entries.find((e) => e.path === "d/in")?.link, "../a.py");
  for (const name of ["absolute", "d/out", "fifo"])
    assert.ok(
      s.notes.some((n) => n.startsWith(`${name} is left out`)),
      name,
    );
});

test("a directory that became a link does not leak what is behind it", async (t) => {
  const root = await directory(t);
  const outside = await directory(t);
  await put(outside, { "secret.py": "s" });
  git(root, "init", "-q");
  await put(root, { "d/secret.py": "s", "a.py": "a" });
  git(root, "add", ".");
  await rm(join(root, "d"), { recursive: true });
  await symlink(outside, join(root, "d"));
  const s = await takeSnapshot(root);
  assert.deepEqual(paths(s), ["a.py"]);
});

test("modes are 644 or 755; names that collide without case are named", async (t) => {
  const root = await directory(t);
  await put(root, { "Run.sh": "r", "run.sh": "r", "b.py": "b" });
  await chmod(join(root, "Run.sh"), 0o711);
  await chmod(join(root, "b.py"), 0o600);
  const s = await takeSnapshot(root);
  assert.deepEqual(
    s.entries.map((e) => [e.path, e.mode]),
    [
      ["Run.sh", 0o755],
      ["b.py", 0o644],
      ["run.sh", 0o644],
    ],
  );
  assert.deepEqual(s.notes, ["Run.sh and run.sh are one name where case does not count"]);
});

test("limits refuse with the largest named", async (t) => {
  const root = await directory(t);
  await put(root, { "big.bin": "x".repeat(5000), "small.py": "s", "d/1": "1", "d/2": "2" });
  const limits = { totalBytes: 10_000, files: 100, fileBytes: 1000 };
  await assert.rejects(takeSnapshot(root, { limits }), (e: unknown) => withCode("CODE_TOO_LARGE")(e) && /big\.bin/.test(String(e)));
  await assert.rejects(takeSnapshot(root, { limits: { ...limits, totalBytes: 100, fileBytes: 9000 } }), withCode("CODE_TOO_LARGE"));
  await assert.rejects(takeSnapshot(root, { limits: { ...limits, files: 3, fileBytes: 9000 } }), withCode("CODE_TOO_LARGE"));
  await assert.rejects(takeSnapshot(join(root, "none")), withCode("CODE_ROOT"));
  await assert.rejects(takeSnapshot(join(root, "small.py")), withCode("CODE_ROOT"));
});

test("a script that a rule keeps out is refused with the rule", async (t) => {
  const root = await directory(t);
  git(root, "init", "-q");
  await put(root, { ".gitignore": "# mine\ntrain.py\n", "train.py": "t", "b.py": "b", ".nexaignore": "b.py\n" });
  await assert.rejects(
    takeSnapshot(root, { mustHold: ["train.py"] }),
    (e: unknown) => withCode("CODE_EXCLUDED")(e) && /\.gitignore:2: train\.py/.test(String(e)),
  );
  await assert.rejects(takeSnapshot(root, { mustHold: ["b.py"] }), (e: unknown) => /\.nexaignore:1: b\.py/.test(String(e)));
  await assert.rejects(takeSnapshot(root, { mustHold: ["c.py"] }), (e: unknown) => /no such file/.test(String(e)));
});

test("the cache gives the same tree, forgets what changed, and survives being broken", async (t) => {
  const root = await directory(t);
  const cacheFile = join(await directory(t), "c", "hashes.json");
  await put(root, { "a.py": "one", "b.py": "b" });
  const later = Date.now() + 60_000;
  const first = await takeSnapshot(root, { cacheFile, nowMs: later });
  const again = await takeSnapshot(root, { cacheFile, nowMs: later });
  assert.equal(again.tree, first.tree);
  await writeFile(join(root, "a.py"), "two"); // same size
  const changed = await takeSnapshot(root, { cacheFile, nowMs: later });
  assert.notEqual(changed.tree, first.tree);
  await writeFile(cacheFile, "{broken");
  assert.equal((await takeSnapshot(root, { cacheFile, nowMs: later })).tree, changed.tree);
});

test("a file written just now is not remembered: it may change within the same tick", async (t) => {
  const root = await directory(t);
  const cacheFile = join(await directory(t), "hashes.json");
  await put(root, { "a.py": "one" });
  await takeSnapshot(root, { cacheFile });
  const { readFile } = await import("node:fs/promises");
  assert.doesNotMatch(await readFile(cacheFile, "utf8"), /a\.py/);
});

test("the tree's name depends on its content alone", () => {
  const entry = fc.record({
    path: fc.string({ minLength: 1, unit: "binary" }),
    mode: fc.constantFrom(0o644, 0o755),
    size: fc.nat(),
    sha256: fc.constantFrom("a".repeat(64), "b".repeat(64)),
  });
  const entries = fc.uniqueArray(entry, { selector: (e) => e.path, maxLength: 12 });
  const name = (list: Parameters<typeof treeText>[0]): string => createHash("sha256").update(treeText(list)).digest("hex");
  fc.assert(
    fc.property(entries, fc.infiniteStream(fc.nat()), (list, order) => {
      const shuffled = list
        .map((e) => [order.next().value, e] as const)
        .sort((a, b) => a[0] - b[0])
        .map(([, e]) => e);
      assert.equal(name(shuffled), name(list));
    }),
  );
  fc.assert(
    fc.property(entries, entries, (a, b) => {
      const key = (l: typeof a): string => JSON.stringify([...l].sort((x, y) => (x.path < y.path ? -1 : 1)));
      assert.equal(name(a) === name(b), key(a) === key(b));
    }),
  );
});

test("keys, files named as secret and a directory of ours never travel, and each is named; a home is refused", async (t) => {
  const root = await directory(t);
  await put(root, { "a.py": "a", ".ssh/id": "k", "sub/.netrc": "k", "run.env": "TOKEN=x", "st/journal": "j", "sub/.nexaignore": "*" });
  const keptOut = [
    { path: join(root, "run.env"), why: "the cluster file names it as secret" },
    { path: join(root, "st"), why: "it is nexadist's own" },
  ];
  const taken = await takeSnapshot(root, { keptOut });
  assert.deepEqual(paths(taken), ["a.py", "sub/.nexaignore"]);
  for (const said of [
    ".ssh is left out: it holds keys",
    "sub/.netrc is left out",
    "run.env is left out: the cluster file",
    "st is left out",
    "sub/.nexaignore is not read",
  ])
    assert.ok(
      taken.notes.some((note) => note.startsWith(said)),
      said,
    );
  const home = process.env.HOME;
  process.env.HOME = root;
  t.after(() => {
    if (home === undefined) delete process.env.HOME;
    else process.env.HOME = home;
  });
  await assert.rejects(takeSnapshot(root), withCode("CODE_TOO_WIDE"));
  await assert.rejects(takeSnapshot("/"), withCode("CODE_TOO_WIDE"));
});
