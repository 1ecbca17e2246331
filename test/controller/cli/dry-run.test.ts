/** `--dry-run` of the commands that change hosts says what would be done and changes nothing, here or there. */

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { replay } from "../../../cluster/run/reduce.ts";
import { planStop } from "../../../controller/cli/stop-plan.ts";
import { nexadist, place } from "../../support/cli.ts";
import { fakeController, lifeOf, ROW, SPEC } from "../../support/fake-controller.ts";

/** Every path below with what it holds. */
function picture(dir: string): readonly string[] {
  return readdirSync(dir, { recursive: true, encoding: "utf8" })
    .sort()
    .map((name) => {
      const path = join(dir, name);
      return statSync(path).isFile() ? `${name} ${statSync(path).mtimeMs} ${readFileSync(path, "utf8")}` : `${name}/`;
    });
}

test("cp --dry-run: both ways, files and directories; what could not be copied is refused as by cp", async (t) => {
  const at = place(t);
  at.write("cluster.yaml", "cluster:\n  - {host: here, transport: local, gpus: 0, slots: 1}\n");
  mkdirSync(join(at.dir, "data/deep"), { recursive: true });
  writeFileSync(join(at.dir, "data/a"), "12345");
  writeFileSync(join(at.dir, "data/deep/new\nline"), "6");
  symlinkSync("nowhere", join(at.dir, "data/link"));
  const there = join(at.home, "there");
  mkdirSync(there);
  writeFileSync(join(there, "a"), "old");
  const before = picture(at.home);
  const dry = (...args: string[]) => nexadist(t, at, ["cp", "--dry-run", ...args]);

  const file = await dry("data/a", `here:${there}`);
  assert.deepEqual([file.code, file.err], [0, ""]);
  assert.match(file.out, /^would copy data\/a -> here:.*\/there\/a \(5 B; replaces the file there\)\n$/);
  const fresh = await dry("data", `here:${there}/new/`);
  assert.match(fresh.out, /^would copy data -> here:.*\/there\/new\/data \(2 files, [\d.]+ k?B\)\n$/);
  const back = await dry(`here:${at.dir}/data`, "copy/");
  assert.match(back.out, /^would copy here:.*\/data -> copy\/data \(2 files, [\d.]+ k?B\)\n$/);
  const asJson = JSON.parse((await dry("--json", "data/a", `here:${there}/b`)).out) as { schema: number; isDryRun: boolean; copies: object[] };
  assert.deepEqual([asJson.schema, asJson.isDryRun], [1, true]);
  assert.deepEqual(asJson.copies, [{ from: "data/a", to: `${there}/b`, kind: "file", files: 1, bytes: 5, there: "none" }]);
  assert.match((await dry("nothing", `here:${there}`)).err, /cannot read nothing/);
  assert.match((await dry("data", `here:${there}/a`)).err, /is a file there, data is a directory/);

  assert.deepEqual(picture(at.home), before);
  assert.deepEqual(readdirSync(at.dir).sort(), ["cluster.yaml", "data", "home"]);
});

test("stop --dry-run: says whom it would end on each host, and asks the controller for no stop", async (t) => {
  const at = place(t);
  const events = lifeOf(SPEC, "running");
  const fake = await fakeController(t, (asked) => {
    if (asked.request.ask === "runs") asked.end([ROW]);
    if (asked.request.ask === "run") asked.end({ state: replay(events), events: events.length, dir: "/d" });
  });
  const env = { NEXADIST_STATE_DIR: fake.stateDir };
  const said = await nexadist(t, at, ["stop", "--dry-run", "--timeout", "90s"], env);
  assert.equal(said.code, 0, said.err);
  assert.match(said.out, /^gpu-a: would end r0 \(pid 100\) by SIGTERM, after .* by SIGKILL, and sweep what they left\ngpu-b: would end r1 \(pid 101\)/);
  const asJson = JSON.parse((await nexadist(t, at, ["stop", "--dry-run", "--now", "--json"], env)).out) as { schema: number; hosts: { would: string }[] };
  assert.deepEqual([asJson.schema, asJson.hosts.length], [1, 2]);
  assert.match(asJson.hosts[0]?.would ?? "", /at once by SIGKILL/);
  assert.ok(!fake.asked.some((request) => request.ask === "stop"));
});

test("a stop of what never ran or has ended would change nothing", () => {
  const [requested] = lifeOf(SPEC, "running");
  assert.ok(requested !== undefined);
  for (const one of planStop(replay([requested]), 1000)) assert.match(one.would, /would signal nothing/);
  for (const one of planStop(replay(lifeOf(SPEC, "succeeded")), 1000))
    assert.deepEqual([one.would, one.ranks], ["would change nothing: the run has ended", []]);
});
