/** `init`: from ssh's configuration, from a hostfile, by asking at a terminal; what it writes validates, what is there stays. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ENTRY, nexadist, type Place, place } from "../../support/cli.ts";
import { onTerminal } from "../../support/terminal.ts";

function sshConfig(at: Place): void {
  mkdirSync(join(at.home, ".ssh/more"), { recursive: true });
  writeFileSync(join(at.home, ".ssh/config"), "Include more/*.conf\nHost gpu-a gpu-b\n  User ann\nHost github.com\n  User git\nHost *\n  Compression yes\n");
  writeFileSync(join(at.home, ".ssh/more/x.conf"), "Include ~/.ssh/config\nHost lab-1\n");
}

test("from ssh's configuration and what it includes, without its patterns and its git servers", async (t) => {
  const at = place(t);
  sshConfig(at);
  const { code, err } = await nexadist(t, at, ["init", "--from-ssh-config"]);
  assert.equal(code, 0, err);
  assert.match(err, /wrote cluster\.yaml with 3 hosts[\s\S]*next: nexadist diag/);
  const text = readFileSync(join(at.dir, "cluster.yaml"), "utf8");
  assert.match(text, /host: lab-1 #[\s\S]*host: gpu-a\n[\s\S]*host: gpu-b\n/);
  assert.doesNotMatch(text, /github|\*$/m);
  assert.equal((await nexadist(t, at, ["config", "validate"])).code, 0);
});

test("from a hostfile; a file that is there stays, unless it is forced", async (t) => {
  const at = place(t);
  at.write("hostfile", "worker-1 slots=8\nworker-2 slots=8\n");
  at.write("cluster.yaml", "mine\n");
  const kept = await nexadist(t, at, ["init", "--from-hostfile", "hostfile"]);
  assert.deepEqual([kept.code, readFileSync(join(at.dir, "cluster.yaml"), "utf8")], [2, "mine\n"]);
  assert.match(kept.err, /is there already[\s\S]*--force/);
  assert.equal((await nexadist(t, at, ["init", "--from-hostfile", "hostfile", "--force"])).code, 0);
  const shown = await nexadist(t, at, ["config", "show", "--json"]);
  assert.equal(shown.code, 0, shown.err);
  assert.match(shown.out, /worker-1[\s\S]*worker-2/);
  at.write("bad", "worker-1 slots=8\nworker-2 slots=x\n");
  const bad = await nexadist(t, at, ["init", "--from-hostfile", "bad", "other.yaml"]);
  assert.deepEqual([bad.code, existsSync(join(at.dir, "other.yaml"))], [3, false]);
  assert.match(bad.err, /bad:2: `slots=x`/);
});

test("without a terminal nothing is asked and nothing written", async (t) => {
  const at = place(t);
  const { code, err } = await nexadist(t, at, ["init"]);
  assert.deepEqual([code, existsSync(join(at.dir, "cluster.yaml"))], [2, false]);
  assert.match(err, /--from-ssh-config/);
});

test("asked at a terminal: what cannot be is asked again; Ctrl-C writes nothing", async (t) => {
  const at = place(t);
  sshConfig(at);
  at.write("train.py", "");
  const open = (file: string) =>
    onTerminal(t, [process.execPath, ENTRY, "init", file], {
      cwd: at.dir,
      env: { PATH: process.env.PATH ?? "", HOME: at.home, TERM: "xterm", LANG: "C.UTF-8" },
    });
  const asked = open("a.yaml");
  await asked.shows(/hosts of ~\/\.ssh\/config: lab-1 gpu-a gpu-b/);
  await asked.shows(/hosts \(names/);
  asked.type("gpu[2-1]\r");
  await asked.shows(/runs backwards[\s\S]*hosts \(names/);
  asked.type("gpu-\r");
  await asked.shows(/is not a host name[\s\S]*hosts \(names/);
  asked.type("gpu-a ann@gpu[1-2]\r");
  await asked.shows(/GPUs of each/);
  asked.type("8\r");
  await asked.shows(/script/);
  asked.type("absent.py\r");
  await asked.shows(/no such file here[\s\S]*script/);
  asked.type("train.py\r");
  const end = await asked.done;
  assert.equal(end.code, 0, end.screen);
  assert.match(
    readFileSync(join(at.dir, "a.yaml"), "utf8"),
    /host: gpu-a #[\s\S]*host: gpu1\n {4}user: ann\n[\s\S]*host: gpu2[\s\S]*gpus: 8 #[\s\S]*\njob: \{script: train\.py\}/,
  );
  assert.equal((await nexadist(t, at, ["config", "validate", "a.yaml"])).code, 0);

  const left = open("b.yaml");
  await left.shows(/hosts \(names/);
  left.type("\u0003");
  const { code, mode } = await left.done;
  assert.deepEqual([code, mode, existsSync(join(at.dir, "b.yaml"))], [2, "cooked", false]);
});
