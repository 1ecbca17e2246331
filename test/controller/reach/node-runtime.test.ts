/** Which Node a host's agent gets, the hosts that cannot have one, each in one sentence, and a Node that is not the pinned one. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { type TestContext, test } from "node:test";
import { NexaError } from "../../../cluster/errors.ts";
import type { HostFacts } from "../../../cluster/spec.ts";
import { packagedNode } from "../../../controller/assets.ts";
import { missingNode, nodeRuntime } from "../../../controller/reach/node-runtime.ts";

const facts = (more: Partial<HostFacts>): HostFacts =>
  ({ os: "Linux", arch: "x86_64", libc: { kind: "glibc", version: "2.36" }, node: null, ...more }) as HostFacts;
const refusal = (more: Partial<HostFacts>): string => {
  try {
    missingNode("gpu-a", facts(more));
    return "";
  } catch (error) {
    assert.ok(error instanceof NexaError);
    assert.deepEqual([error.code, error.exit], ["FOREIGN_HOST", 4]);
    return error.message;
  }
};

test("a host that no Node of ours runs on: one sentence that says which and what to do", () => {
  const sentences: readonly (readonly [Partial<HostFacts>, RegExp])[] = [
    [{ libc: { kind: "musl", version: "1.2.5" } }, /^gpu-a cannot be a host: its C library is musl; install Node >= 22\.18 there \(apk add nodejs\)$/],
    [
      { libc: { kind: "glibc", version: "2.17" } },
      /^gpu-a cannot be a host: its glibc 2\.17 is older than 2\.28, which Node needs; install a Node >= 22\.18 built for it$/,
    ],
    [{ arch: "ppc64le" }, /^gpu-a cannot be a host: there is no Node for ppc64le$/],
    [{ arch: "riscv64", libc: { kind: "musl", version: "1.2" } }, /^gpu-a cannot be a host: there is no Node for riscv64$/],
    [{ os: "Darwin", arch: "arm64", node: { path: "/n", version: "v24.1.0" } }, /^gpu-a cannot be a host: it runs Darwin; hosts must run Linux$/],
    [{ os: "FreeBSD" }, /^gpu-a cannot be a host: it runs FreeBSD; hosts must run Linux$/],
  ];
  for (const [more, sentence] of sentences) {
    assert.match(refusal(more), sentence);
    assert.ok(!refusal(more).includes("\n"));
  }
});

test("a host with a fit Node of its own needs none of ours, whatever its C library; an old or odd one counts as none", () => {
  const node = (version: string) => ({ path: "/usr/bin/node", version });
  for (const version of ["v22.18.0", "v22.20.1", "v24.0.0", "26.1.0"]) {
    assert.equal(missingNode("h", facts({ node: node(version) })), null, version);
    assert.equal(missingNode("h", facts({ node: node(version), libc: { kind: "musl", version: "1.2" }, arch: "riscv64" })), null);
  }
  for (const version of ["v22.17.9", "v20.19.0", "v8.0.0", "", "nonsense"]) assert.equal(missingNode("h", facts({ node: node(version) })), "x64", version);
  assert.match(refusal({ node: node("v20.1.0"), libc: { kind: "musl", version: "1.2" } }), /musl/);
});

test("each architecture gets its own, an unknown C library the benefit of the doubt", () => {
  assert.equal(missingNode("h", facts({})), "x64");
  assert.equal(missingNode("h", facts({ arch: "aarch64" })), "arm64");
  assert.equal(missingNode("h", facts({ libc: { kind: "unknown", version: "" } })), "x64");
  assert.equal(missingNode("h", facts({ libc: { kind: "glibc", version: "2.28" } })), "x64");
  assert.notEqual(refusal({ libc: { kind: "glibc", version: "2.27" } }), "");
});

/** An npm of the test's own on the PATH, and a cache of its own. */
function withNpm(t: TestContext, script: (dir: string) => string): string {
  const dir = mkdtempSync(join(tmpdir(), "nexa-npm-"));
  const { PATH, XDG_CACHE_HOME } = process.env;
  t.after(() => {
    process.env.PATH = PATH;
    if (XDG_CACHE_HOME === undefined) delete process.env.XDG_CACHE_HOME;
    else process.env.XDG_CACHE_HOME = XDG_CACHE_HOME;
    rmSync(dir, { recursive: true, force: true });
  });
  mkdirSync(join(dir, "bin"));
  writeFileSync(join(dir, "bin/npm"), `#!/bin/sh\n${script(dir)}\n`);
  chmodSync(join(dir, "bin/npm"), 0o755);
  process.env.PATH = `${join(dir, "bin")}${delimiter}${PATH ?? ""}`;
  process.env.XDG_CACHE_HOME = join(dir, "cache");
  return dir;
}

/** The architecture that this machine's own packages lack, so that it must be fetched. */
const foreign = packagedNode("arm64") === null ? "arm64" : packagedNode("x64") === null ? "x64" : null;
const nothingToFetch = foreign === null ? "both architectures are installed here" : false;
const kept = (dir: string): string[] => readdirSync(join(dir, "cache/nexadist"), { recursive: true }).map(String);

test("what npm gives is not the pinned Node: refused, nothing of it is kept or run", { skip: nothingToFetch }, async (t) => {
  const dir = withNpm(
    t,
    (at) => `echo "$@" >> ${at}/asked
while [ $# -gt 0 ]; do [ "$1" = --pack-destination ] && to=$2; shift; done
cp ${at}/tampered.tgz "$to/node.tgz" && echo '[{"filename":"node.tgz"}]'`,
  );
  mkdirSync(join(dir, "package/bin"), { recursive: true });
  writeFileSync(join(dir, "package/bin/node"), `#!/bin/sh\ntouch ${dir}/ran\n`, { mode: 0o755 });
  execFileSync("tar", ["-czf", join(dir, "tampered.tgz"), "-C", dir, "package"]);
  await assert.rejects(nodeRuntime(foreign ?? "arm64"), (error: unknown) => {
    assert.ok(error instanceof NexaError);
    assert.equal(error.code, "NODE_FETCH");
    assert.equal(error.message, `the Node for ${foreign} hosts could not be fetched: what npm gave does not have the pinned integrity`);
    return true;
  });
  assert.deepEqual(kept(dir), []);
  assert.ok(!readdirSync(dir).includes("ran"));
});

test("npm that fails is told with its first line and how to do it by hand, and tried again the next time", { skip: nothingToFetch }, async (t) => {
  const dir = withNpm(t, (at) => `echo x >> ${at}/asked; echo 'npm error network' >&2; exit 1`);
  for (const _ of [1, 2])
    await assert.rejects(nodeRuntime(foreign ?? "arm64"), (error: unknown) => {
      assert.ok(error instanceof NexaError);
      assert.match(error.message, /^the Node for \S+ hosts could not be fetched: .*npm pack.*$/);
      assert.match(error.hint, /npm pack node-linux-/);
      return true;
    });
  assert.equal(
    execFileSync("wc", ["-l", join(dir, "asked")], { encoding: "utf8" })
      .trim()
      .split(" ")[0],
    "2",
  );
  assert.deepEqual(kept(dir), []);
});
