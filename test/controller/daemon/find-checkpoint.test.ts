/** The last complete checkpoint on real agents with disks of their own: found, brought where it lacks, or refused with the reason. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { fail } from "../../../cluster/errors.ts";
import { replay } from "../../../cluster/run/reduce.ts";
import type { RunState } from "../../../cluster/run/state.ts";
import { type CheckpointDeps, findCheckpoint, lookForCheckpoint } from "../../../controller/daemon/find-checkpoint.ts";
import { requested } from "../../cluster/run/model.ts";
import { type Client, connect, record, startAgent, type TestAgent } from "../../support/agent.ts";

const RUN = "r1";
const ROOT = "work/ckpt";

type Host = {
  readonly agent: TestAgent;
  readonly client: Client;
  readonly dir: string;
  readonly put: (files: Readonly<Record<string, string | Buffer>>) => void;
};

async function startHost(t: TestContext): Promise<Host> {
  const agent = await startAgent(t);
  const client = await connect(t, agent);
  await client.as(RUN, 1, { do: "adopt", record: record(RUN, 1, "c1") });
  await client.as(RUN, 1, { do: "subscribe", eventsFrom: 0, cursors: {} });
  const dir = join(agent.home, ROOT);
  const put: Host["put"] = (files) => {
    for (const [path, data] of Object.entries(files)) {
      mkdirSync(dirname(join(dir, path)), { recursive: true });
      writeFileSync(join(dir, path), data);
    }
  };
  return { agent, client, dir, put };
}

/** The attempt has begun and ended there; what is put before the next has its number. */
async function attempt({ client }: Host, number: number, seq: number): Promise<void> {
  const arm = { attempt: number, host: "x", ports: [0], portRange: [20000, 29999] as [number, number], mark: `t/${RUN}/${number}/x`, quotaBytes: 1 << 30 };
  await client.as(RUN, 1, { do: "arm", ...arm, record: record(RUN, 1, "c1", seq) });
  await client.as(RUN, 1, { do: "stop", attempt: number, graceMs: 100, why: "test" });
  await client.until((event) => event.attempt === number && event.event.type === "drained", `attempt ${number} is over`);
}

function stateOf(hosts: readonly string[], last: number): RunState {
  const initial = replay([requested(2)]);
  const [like] = initial.spec.hosts;
  const specs = hosts.map((name) => ({ ...(like ?? assert.fail()), name }));
  return { ...initial, spec: { ...initial.spec, hosts: specs, paths: { checkpoints: `${ROOT}/` } }, attempt: last, world: 2, members: hosts };
}

function depsOf(hosts: Readonly<Record<string, Host | null>>, members: readonly string[], last = 1, more: Partial<CheckpointDeps> = {}): CheckpointDeps {
  /** Refusals as the controller's link makes them. */
  const refuse = (error: Error & { code?: string }): never => {
    throw error.code === "CHECKPOINT_FILE" ? fail("CHECKPOINT_FILE", { path: "it", why: error.message }) : error;
  };
  const ask: CheckpointDeps["ask"] = async (host, command) => (await hosts[host]?.client.as(RUN, 1, command).catch(refuse)) ?? null;
  return { state: stateOf(Object.keys(hosts), last), members, ask, ...more };
}

const METADATA = Buffer.from("\x80\x04__0_0.distcp__1_0.distcp.", "latin1");
const SHARDS = [Buffer.alloc(700_000, "shard 0, "), Buffer.alloc(3, "x")] as const;
const hash = (data: Buffer): string => createHash("sha256").update(data).digest("hex");
const listOf = (host: Host): string[] =>
  existsSync(host.dir)
    ? readdirSync(host.dir, { recursive: true, encoding: "utf8" })
        .filter((name) => !name.startsWith("."))
        .toSorted()
    : [];

test("shards on two disks: every host gets the other's, a spare all of it, byte for byte, and the next look finds nothing to send", async (t) => {
  const [a, b, c] = await Promise.all([startHost(t), startHost(t), startHost(t)]);
  a.put({ "step_3/__0_0.distcp": "of before the run", "step_99/.metadata": METADATA, "step_99/__0_0.distcp": "x", "step_99/__1_0.distcp": "x" });
  await Promise.all([a, b].map((host) => attempt(host, 1, 2)));
  assert.equal(await lookForCheckpoint(depsOf({ a, b, c }, ["a", "b"])), null, "what was there before the run is not the run's");
  a.put({ "step_5/.metadata": METADATA, "step_5/__0_0.distcp": SHARDS[0] });
  b.put({ "step_5/__1_0.distcp": SHARDS[1], "step_6/__1_0.distcp": "metadata never came" });
  assert.deepEqual(await lookForCheckpoint(depsOf({ a, b, c }, ["a", "b"])), { step: 5, path: `${ROOT}/step_5` });
  assert.deepEqual(listOf(c), [], "a look moves nothing");

  const said: string[] = [];
  const found = await findCheckpoint(depsOf({ a, b, c }, ["a", "c"], 1, { notice: (text) => said.push(text) }));
  assert.deepEqual(found.checkpoint, { step: 5, path: `${ROOT}/step_5` });
  assert.equal(found.stepsLost, null);
  assert.match(found.notes.join("\n"), /^step_6 is torn \(\.metadata.*\): passed over\nstep_5: 3 files \(700\.0 kB\) brought to .*c.*$/);
  assert.ok(said.length >= 3 && said.every((text) => /^step_5 to [ac, ]+: \d+(?:\.\d)? (?:B|kB) of 700\.0 kB$/.test(text)), said.join("\n"));
  for (const host of [a, c]) {
    assert.equal(hash(readFileSync(join(host.dir, "step_5/__0_0.distcp"))), hash(SHARDS[0]));
    assert.deepEqual(readFileSync(join(host.dir, "step_5/__1_0.distcp")), SHARDS[1]);
    assert.ok(!listOf(host).some((name) => name.endsWith(".nexadist-part")));
  }
  assert.deepEqual(listOf(b), ["step_5", "step_5/__1_0.distcp", "step_6", "step_6/__1_0.distcp"], "not a member: nothing is sent there");

  // The members of the second attempt alone hold it now, as what the first one saved.
  await Promise.all([a, c].map((host) => attempt(host, 2, 3)));
  const writes: string[] = [];
  const deps = depsOf({ a, b: null, c }, ["a", "c"], 2);
  const ask: CheckpointDeps["ask"] = (host, command) => {
    if (command.do !== "checkpoint-scan") writes.push(command.do);
    return deps.ask(host, command);
  };
  assert.deepEqual((await findCheckpoint({ ...deps, ask })).checkpoint?.step, 5);
  assert.deepEqual(writes, []);

  // A host that comes back with its part of a step that others saved anew: two halves of two attempts are no checkpoint.
  a.put({ "step_9/.metadata": METADATA, "step_9/__0_0.distcp": "of attempt 2" });
  b.put({ "step_9/__1_0.distcp": "of attempt 1" });
  const mixed = await findCheckpoint(depsOf({ a, b, c }, ["a", "b", "c"], 2));
  assert.deepEqual([mixed.checkpoint?.step, mixed.stepsLost], [5, 4]);
  assert.match(mixed.notes[0] ?? "", /^step_9 cannot be had: __1_0\.distcp is on no host that answers$/);
});

test("what cannot be brought: the step before is taken and the lost ones are counted; a member that does not answer stops it all", async (t) => {
  const [a, b] = await Promise.all([startHost(t), startHost(t)]);
  await Promise.all([a, b].map((host) => attempt(host, 1, 2)));
  const zip = execFileSync("python3", [
    "-c",
    "import io,sys,zipfile\nb=io.BytesIO()\nzipfile.ZipFile(b,'w').writestr('d',b'x'*99)\nsys.stdout.buffer.write(b.getvalue())",
  ]);
  a.put({ "step_10.pt": zip, "exp/step_20.pt": zip });
  b.put({ "step_10.pt": zip });
  const elsewhere = join(b.agent.home, "elsewhere");
  mkdirSync(elsewhere);
  symlinkSync(elsewhere, join(b.dir, "exp"));
  const found = await findCheckpoint(depsOf({ a, b, lost: null }, ["a", "b"]));
  assert.deepEqual([found.checkpoint, found.stepsLost], [{ step: 10, path: `${ROOT}/step_10.pt` }, 10]);
  assert.match(found.notes.join("\n"), /^exp\/step_20\.pt is complete, but cannot be brought to where it is needed: .*exp is no directory/);
  assert.deepEqual(readdirSync(elsewhere), [], "no link is followed");

  await assert.rejects(findCheckpoint(depsOf({ a, b: null }, ["a", "b"])), { code: "CHECKPOINT_UNKNOWN" });
  await assert.rejects(findCheckpoint(depsOf({ a, b }, ["a", "b"], 1, { isWanted: () => false })), { code: "NOT_WANTED" });
  assert.ok(!listOf(b).some((name) => name.includes("nexadist-part")));
  rmSync(b.dir, { recursive: true });
  writeFileSync(b.dir, "no directory");
  await assert.rejects(findCheckpoint(depsOf({ a, b }, ["a", "b"])), { code: "CHECKPOINT_UNKNOWN", message: /Not a directory/ });
  const broken: CheckpointDeps["ask"] = async () => Promise.reject(fail("LINK_LOST", { host: "a", why: "test" }));
  assert.equal(await lookForCheckpoint(depsOf({ a, b }, ["a"], 1, { ask: broken })), null);
});

test("an agent reads and writes beneath the directory of checkpoints only, whoever asks, and keeps no half file", async (t) => {
  const host = await startHost(t);
  const as = (command: Parameters<Client["as"]>[2]): Promise<unknown> => host.client.as(RUN, 1, command);
  await attempt(host, 1, 2);
  host.put({ "step_1.pt": "x" });
  writeFileSync(join(host.agent.home, "secret"), "s");
  symlinkSync(join(host.agent.home, "secret"), join(host.dir, "step_2.pt"));
  execFileSync("mkfifo", [join(host.dir, "step_3.pt")]);
  for (const path of ["../../secret", "/etc/passwd", "", "a/../../../secret", "step_2.pt", "step_3.pt", "none.pt"]) {
    await assert.rejects(as({ do: "checkpoint-read", root: ROOT, path, offset: 0 }), { code: "CHECKPOINT_FILE" }, path);
  }
  const data = Buffer.from("hello").toString("base64");
  for (const path of ["../../secret", "/tmp/x", "step_1.pt/x"]) {
    await assert.rejects(as({ do: "checkpoint-write", root: ROOT, path, offset: 0, data }), { code: "CHECKPOINT_FILE" }, path);
  }
  const path = "new/step_4.pt";
  const seal = { do: "checkpoint-seal" as const, root: ROOT, path, size: 5, attempt: 1 };
  await as({ do: "checkpoint-write", root: ROOT, path, offset: 0, data });
  assert.ok(!existsSync(join(host.dir, path)), "not before it is sealed");
  await assert.rejects(as({ ...seal, sha256: "0".repeat(64) }), { code: "CHECKPOINT_FILE" });
  await assert.rejects(as({ ...seal, size: 6, sha256: hash(Buffer.from("hello")) }), { code: "CHECKPOINT_FILE" });
  assert.ok(!existsSync(join(host.dir, path)));
  await as({ ...seal, sha256: hash(Buffer.from("hello")) });
  assert.equal(readFileSync(join(host.dir, path), "utf8"), "hello");
  await as({ do: "checkpoint-write", root: ROOT, path: "new/step_5.pt", offset: 0, data });
  await as({ ...seal, path: "new/step_5.pt", sha256: null });
  assert.deepEqual(readdirSync(join(host.dir, "new")), ["step_4.pt"]);
  await assert.rejects(host.client.as(RUN, 0, { do: "checkpoint-read", root: ROOT, path: "step_1.pt", offset: 0 }), { code: "FENCED" });
  assert.equal(readFileSync(join(host.agent.home, "secret"), "utf8"), "s");
});
