/** The look at a host as it runs there: programs that hang, flood, die or are not there; the clock; nothing is left behind. */

import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { HostSpec } from "../../../cluster/spec.ts";
import { nearest } from "../../../controller/diag/clock.ts";
import { probeHost } from "../../../controller/diag/probe-host.ts";
import { tar } from "../../../controller/diag/tar.ts";
import { openLocal } from "../../../controller/reach/local-driver.ts";
import { diagContext } from "../../support/probes.ts";

const host: HostSpec = { name: "here", transport: "local", address: "127.0.0.1", env: {}, gpus: { kind: "none", slots: 1 } };
const { spec } = diagContext({ paths: {}, code: { kind: "none" } });

test("what a program does is told of it alone: hanging, flooding, failing, localised", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "nexa-probe-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const bin = join(dir, "bin");
  mkdirSync(bin);
  const program = (name: string, text: string): void => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(bin, name), 0o755);
  };
  // Both ignore what asks them to end; the second holds the pipes open through a child.
  program("systemctl", `trap "" TERM; echo $$ > ${dir}/pid; sleep 600 & echo $! > ${dir}/child; wait`);
  program("nvidia-smi", `echo "$LC_ALL"; yes 0123456789abcdef | head -c 3000000; exit 3`);
  const transport = openLocal("here", { env: { ...process.env, PATH: `${bin}:${process.env.PATH}`, HOME: dir } });
  t.after(() => transport.close());
  const { sections, clock, facts } = await probeHost(transport, host, spec, { tier: "quick", connectMs: 1 });

  assert.equal(sections.sleep?.code, null);
  assert.match(sections.sleep?.why ?? "", /^no answer within \d+ s$/);
  for (const name of ["pid", "child"])
    assert.ok(
      !existsSync(`/proc/${readFileSync(join(dir, name), "utf8").trim()}`) || isZombie(readFileSync(join(dir, name), "utf8").trim()),
      `${name} was ended`,
    );
  assert.equal(sections.smi_list?.code, null, "a cut answer is none");
  assert.match(sections.smi_list?.why ?? "", /only the first 524288 bytes/);
  assert.match(sections.smi_list?.out ?? "", /^C\n0123/);
  assert.equal(sections.limits?.code, 0, "others are not held up");
  assert.ok(Object.values(sections).every(({ ms }) => ms < 20_000));
  assert.ok(clock !== null && Math.abs(clock.offsetMs) <= clock.errorMs, JSON.stringify(clock));
  assert.equal(facts.os, "Linux");
  assert.deepEqual(existsSync(join(dir, ".local")) || existsSync(join(dir, ".nexadist-look")), false);
});

const isZombie = (pid: string): boolean => / [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));

test("of several questions the one that took least tells the clock", () => {
  const slow = { left: 1000, tookMs: 100, came: 6095, sent: 6096 };
  const quick = { left: 2000, tookMs: 4, came: 7001, sent: 7003 };
  assert.deepEqual(nearest([slow, quick]), { offsetMs: (5001 + 4999) / 2, errorMs: 2 });
  assert.equal(nearest([]), null);
});

test("a bundle is a tar that tar reads", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "nexa-tar-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const { execa } = await import("execa");
  const entries = [
    { path: "a/empty.txt", text: "" },
    { path: "a/512.txt", text: "x".repeat(512) },
    { path: "b.txt", text: "ünï\n" },
  ];
  writeFileSync(join(dir, "x.tar"), tar(entries, Date.now()));
  await execa("tar", ["xf", "x.tar"], { cwd: dir });
  for (const { path, text } of entries) assert.equal(readFileSync(join(dir, path), "utf8"), text);
});
