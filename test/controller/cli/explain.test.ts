/** `nexadist explain`, as a person calls it. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { FINDINGS } from "../../../cluster/findings/catalogue.ts";
import { nearestCode } from "../../../cluster/nearest-code.ts";
import { EXAMPLES } from "../../cluster/findings/examples.ts";
import { ENTRY, nexadist, place } from "../../support/cli.ts";

test("a finding, an error, in any case; without a controller", async (t) => {
  const at = place(t);
  const finding = await nexadist(t, at, ["explain", "cuda-oom"]);
  assert.deepEqual([finding.code, finding.err], [0, ""]);
  assert.match(finding.out, /^CUDA_OOM: out of GPU memory\n {2}why .*\n {2}what to do .*nvidia-smi/);
  const error = await nexadist(t, at, ["explain", "host_key_changed"]);
  assert.match(error.out, /^HOST_KEY_CHANGED: <host>: HOST KEY CHANGED.*\n {2}what to do .*ssh-keygen -R.*\n {2}exit status 4\n$/);
  assert.ok(!existsSync(join(at.dir, "state")), "nothing was started for it");
});

test("a typing error leads to the nearest code", async (t) => {
  const said = await nexadist(t, place(t), ["explain", "NCL_SHM"]);
  assert.equal(said.code, 2);
  assert.match(said.err, /no finding, error or file NCL_SHM\n.*did you mean NCCL_SHM\?/);
  assert.equal(said.out, "");
});

test("the nearest code shares words, unless it is one letter away", () => {
  const codes = ["UNREACHABLE", "STORE_UNREACHABLE", "HOST_KEY_CHANGED", "NCCL_SHM", "NCCL_WATCHDOG_TIMEOUT", "GLOO_TIMEOUT", "time.skew"];
  for (const [word, code] of [
    ["HOST_UNREACHABLE", "UNREACHABLE"],
    ["nccl_timeout", "NCCL_WATCHDOG_TIMEOUT"],
    ["watchdog-timeout", "NCCL_WATCHDOG_TIMEOUT"],
    ["NCL_SHM", "NCCL_SHM"],
    ["skew", "time.skew"],
    ["STORE_UNREACHABEL", "STORE_UNREACHABLE"],
    ["quite different", null],
    ["", null],
  ] as const)
    assert.equal(nearestCode(word, codes), code, word);
});

test("a log names its findings, the cause without its symptoms, and is harmless to the terminal", async (t) => {
  const at = place(t);
  at.write("train.log", `step 1\n${EXAMPLES.GLOO_PEER_CLOSED?.[0]}\n\u001b]0;x\u0007${EXAMPLES.ADDRESS_IN_USE?.[0]}\r\n${"y".repeat(3_000_000)}`);
  const said = await nexadist(t, at, ["explain", "train.log"]);
  assert.equal(said.code, 0);
  assert.match(said.out, /^ADDRESS_IN_USE: .*\n {2}line 3: /);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
  assert.doesNotMatch(said.out, /GLOO_PEER_CLOSED|[\u0007\u001b]/);
  const json = JSON.parse((await nexadist(t, at, ["--json", "explain", "train.log"])).out) as {
    schema: number;
    found: { code: string; lineNumber: number; count: number }[];
  };
  assert.equal(json.schema, 1);
  assert.deepEqual(
    json.found.map(({ code, lineNumber, count }) => ({ code, lineNumber, count })),
    [{ code: "ADDRESS_IN_USE", lineNumber: 3, count: 1 }],
  );
});

test("the standard input is read too, and nothing found is said", async (t) => {
  const at = place(t);
  const out = execFileSync(process.execPath, [ENTRY, "explain", "-"], { input: `${EXAMPLES.XID_BUS?.[0]}\n`, encoding: "utf8", cwd: at.dir });
  assert.match(out, /^XID_BUS: /);
  at.write("good.log", "step 1\n");
  const none = await nexadist(t, at, ["explain", "good.log"]);
  assert.deepEqual([none.code, none.out], [0, ""]);
  assert.match(none.err, /nothing in it is known to be a problem/);
});

test("--list and --json", async (t) => {
  const at = place(t);
  const { out } = await nexadist(t, at, ["explain", "--list"]);
  assert.ok(out.includes("NCCL_WATCHDOG_TIMEOUT") && out.includes("HOST_KEY_CHANGED") && !/undefined/.test(out));
  const json = JSON.parse((await nexadist(t, at, ["--json", "explain", "--list"])).out) as { findings: object[]; errors: object[] };
  assert.equal(json.findings.length, FINDINGS.length);
  assert.ok(json.errors.length > 50);
  assert.equal((await nexadist(t, at, ["explain"])).code, 2);
  assert.equal((await nexadist(t, at, ["explain", at.home])).code, 2, "a directory is no text");
});
