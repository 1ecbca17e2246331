/** config show, validate and schema against files on a real disk. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { configSchema, configShow, configValidate } from "../../../controller/cli/config.ts";
import { nodeFiles } from "../../../controller/cli/config-disk.ts";

function desk(t: TestContext, text: string | Uint8Array) {
  const cwd = mkdtempSync(join(tmpdir(), "nexa-config-"));
  t.after(() => rmSync(cwd, { recursive: true }));
  writeFileSync(join(cwd, "cluster.yaml"), text);
  const out: string[] = [];
  const err: string[] = [];
  const io = { stdout: (line: string) => void out.push(line), stderr: (line: string) => void err.push(line), env: { HOME: cwd, TOK: "c4n4ry" }, cwd };
  return { cwd, out, err, io };
}
const ask = { file: undefined, set: [], json: false };

test("config show: the configuration that acts, secrets as their names", async (t) => {
  const { cwd, out, err, io } = desk(t, "cluster: [{host: a}]\nenv: {A: 'env:TOK', B: x}\n");
  mkdirSync(join(cwd, ".config/nexadist"), { recursive: true });
  writeFileSync(join(cwd, ".config/nexadist/config.yaml"), "timeouts: {connect: 7s}\n");
  assert.equal(await configShow({ ...ask, origin: false }, io), 0);
  assert.match(out.join("\n"), /A: \$A\n {2}B: x/);
  assert.match(out.join("\n"), /connect: 7s/);
  out.length = 0;
  assert.equal(await configShow({ ...ask, origin: true, set: ["timeouts.run=1h"] }, io), 0);
  assert.match(out.join("\n"), /timeouts\.connect +7s +\S*config\.yaml:1:21/);
  assert.match(out.join("\n"), /timeouts\.run +1h +--set/);
  out.length = 0;
  assert.equal(await configShow({ ...ask, origin: false, json: true }, io), 0);
  assert.equal(JSON.parse(out.join("")).schema, 1);
  assert.doesNotMatch([...out, ...err].join("\n"), /c4n4ry/);
});

test("config validate: right, wrong with every problem on stderr, and as JSON", async (t) => {
  const right = desk(t, "cluster: [{host: a}]\n");
  assert.equal(await configValidate(ask, right.io), 0);
  assert.deepEqual(right.out, ["cluster.yaml is right: 1 host, launcher torchrun"]);
  const wrong = desk(t, "cluster: [{hots: a}]\nbackned: x\n");
  assert.equal(await configValidate(ask, wrong.io), 3);
  assert.deepEqual(wrong.out, []);
  assert.match(wrong.err.join("\n"), /^cluster\.yaml:1:11: .*\n[\s\S]*cluster\.yaml:2:1: backned: unknown key[\s\S]*3 problems$/);
  assert.equal(await configValidate({ ...ask, json: true }, wrong.io), 3);
  assert.deepEqual(
    JSON.parse(wrong.out.join("")).problems.map((p: { line: number }) => p.line),
    [1, 1, 2],
  );
});

test("files that are none, no text, too large or absent are one sentence and exit 3", async (t) => {
  const { cwd, io } = desk(t, new Uint8Array([0x63, 0x3a, 0xff, 0xfe]));
  await assert.rejects(configValidate(ask, io), { code: "CLUSTER_FILE", exit: 3, message: /not text in UTF-8/ });
  await assert.rejects(configValidate({ ...ask, file: "nope.yaml" }, io), { code: "CLUSTER_FILE", message: /no such file/ });
  await assert.rejects(configValidate({ ...ask, file: "." }, io), { code: "CLUSTER_FILE", message: /is a directory/ });
  execFileSync("mkfifo", [join(cwd, "fifo")]);
  await assert.rejects(configValidate({ ...ask, file: "fifo" }, io), { code: "CLUSTER_FILE", message: /not a regular file/ });
  writeFileSync(join(cwd, "big"), "a: x\n".repeat(2_000_000));
  await assert.rejects(configValidate({ ...ask, file: "big" }, io), { code: "CLUSTER_FILE", message: /larger than 1 MiB/ });
  assert.deepEqual(nodeFiles.read(join(cwd, "nope/x")), { ok: false, why: "no such file" });
});

test("config schema: every key, the legal launchers, and JSON that editors take", async () => {
  const out: string[] = [];
  assert.equal(await configSchema({ json: false }, { stdout: (line) => void out.push(line) }), 0);
  for (const key of ["cluster[].gpus", "timeouts.stop_grace", "job.accelerate_config", "env.NAME"])
    assert.ok(
      out.some((line) => line.startsWith(`${key} `)),
      key,
    );
  assert.ok(out.some((line) => /^torch\.distributed +torchrun /.test(line)));
  out.length = 0;
  assert.equal(await configSchema({ json: true }, { stdout: (line) => void out.push(line) }), 0);
  const schema = JSON.parse(out.join(""));
  assert.equal(schema.schema, 1);
  assert.equal(schema.additionalProperties, false);
});
