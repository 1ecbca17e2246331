/** The first command that needs a controller starts one that outlives it; several at once start one; a directory of others is refused. */

import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Pong } from "../../../cluster/viewer.ts";
import { openClient } from "../../../controller/cli/client.ts";
import { nexadist, type Place, place } from "../../support/cli.ts";

/** Asks the controller to leave and waits until it has. */
async function quit(at: Place): Promise<void> {
  const client = await openClient(join(at.dir, "state/controller.sock")).catch(() => null);
  if (client === null) return;
  await client.ask({ ask: "quit" });
  await client.ask({ ask: "watch", run: "-", from: 0, logs: false }).catch(() => undefined);
  client.close();
}

async function pongOf(at: Place): Promise<Pong> {
  const client = await openClient(join(at.dir, "state/controller.sock"));
  const pong = (await client.ask({ ask: "ping" })) as Pong;
  client.close();
  return pong;
}

const withController = (t: TestContext): Place => {
  let at: Place | undefined;
  t.after(() => at === undefined || quit(at)); // before its directory is removed: hooks run in this order
  at = place(t);
  return at;
};

test("several commands at once share one controller; it outlives them; its socket is for its user alone", async (t) => {
  const at = withController(t);
  const said = await Promise.all([1, 2, 3].map(() => nexadist(t, at, ["ps", "--json"])));
  for (const each of said) assert.deepEqual([each.code, JSON.parse(each.out)], [0, { schema: 1, runs: [] }], each.err);
  const first = await pongOf(at);
  assert.doesNotThrow(() => process.kill(first.pid, 0));
  assert.equal((await nexadist(t, at, ["runs"])).code, 0);
  assert.equal((await pongOf(at)).pid, first.pid);
  assert.equal(statSync(join(at.dir, "state")).mode & 0o077, 0);
  assert.equal(statSync(join(at.dir, "state/controller.sock")).mode & 0o077, 0);
});

test("a state directory that others may look into is refused with its mode and the cure, nothing is started there", async (t) => {
  const at = place(t);
  mkdirSync(join(at.dir, "state"));
  for (const mode of [0o777, 0o755]) {
    chmodSync(join(at.dir, "state"), mode);
    const said = await nexadist(t, at, ["ps"]);
    assert.equal(said.code, 5, said.err);
    assert.match(said.err, new RegExp(`is open to others \\(mode ${mode.toString(8)}\\)`));
    assert.match(said.err, new RegExp(`try: chmod 700 ${join(at.dir, "state")}$`, "m"));
    assert.doesNotMatch(said.err, /somebody else/);
    assert.ok(!existsSync(join(at.dir, "state/controller.log")));
    assert.equal(statSync(join(at.dir, "state")).mode & 0o777, mode);
  }
});

test("a relative state directory starts where the command was typed, for the controller too", async (t) => {
  const at = withController(t);
  const said = await nexadist(t, at, ["ps", "--json"], { NEXADIST_STATE_DIR: "state" });
  assert.equal(said.code, 0, said.err);
  assert.equal((await pongOf(at)).stateDir, join(at.dir, "state"));
  assert.ok(existsSync(join(at.dir, "state/controller.log")));
});

test("a state directory that cannot be is one sentence, exit 5", async (t) => {
  const at = place(t);
  at.write("afile", "");
  for (const path of ["afile", "afile/x", "/proc/x", "/sys"]) {
    const said = await nexadist(t, at, ["ps"], { NEXADIST_STATE_DIR: path });
    assert.equal(said.code, 5, `${path}: ${said.err}`);
    assert.doesNotMatch(said.err, / at .*\.ts:|internal error/, path);
  }
});

test("a frozen controller: it is said, given up with the cure, and one that goes on is waited for", async (t) => {
  const at = withController(t);
  assert.equal((await nexadist(t, at, ["ps"])).code, 0);
  const { pid } = await pongOf(at);
  process.kill(pid, "SIGSTOP");
  try {
    const said = await nexadist(t, at, ["ps"]);
    assert.equal(said.code, 7, said.err);
    assert.match(said.err, new RegExp(`^the controller \\(pid ${pid}\\) does not answer; waiting for it\n`));
    assert.match(said.err, new RegExp(`\\(pid ${pid}\\) does not answer: it is stopped\n +try: kill -CONT ${pid} +or: kill -9 ${pid};`));
    assert.equal(said.out, "");
  } finally {
    process.kill(pid, "SIGCONT");
  }
  assert.equal((await nexadist(t, at, ["ps"])).code, 0);
  assert.equal((await pongOf(at)).pid, pid, "nobody ended it");
});

test("a controller that cannot start is told with the end of its log", async (t) => {
  const at = place(t);
  // Where its socket should be is a directory that is not empty.
  mkdirSync(join(at.dir, "state/controller.sock/x"), { recursive: true, mode: 0o700 });
  const said = await nexadist(t, at, ["ps"]);
  assert.equal(said.code, 7, said.err);
  assert.match(said.err, /the controller did not start: .*its log ends:\n.+/s);
  assert.match(said.err, /try: read .*controller\.log/);
});
