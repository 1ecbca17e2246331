/** Code on its way to a run's own copy: only what is missing travels, only what is right becomes visible. */

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { appendFileSync, existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { packFrame } from "../../cluster/frame.ts";
import { FRAME_DATA, type SnapshotEntry } from "../../cluster/protocol.ts";
import { treeText } from "../../cluster/tree.ts";
import { type Client, connect, record, startAgent } from "../support/agent.ts";

const sha256 = (data: Uint8Array | string): string => createHash("sha256").update(data).digest("hex");
const treeOf = (entries: readonly SnapshotEntry[]): string => sha256(treeText(entries));
const file = (path: string, data: Uint8Array, mode = 0o644): SnapshotEntry => ({ path, mode, size: data.length, sha256: sha256(data) });

function sendBlob(client: Client, run: string, data: Uint8Array, name = sha256(data)): void {
  for (let offset = 0; offset === 0 || offset < data.length; offset += FRAME_DATA) {
    client.socket.send(packFrame({ t: "blob", run, sha256: name, offset, size: data.length }, data.subarray(offset, offset + FRAME_DATA)));
  }
}

const listAll = (dir: string): string[] => (existsSync(dir) ? readdirSync(dir, { recursive: true, withFileTypes: true }).map((entry) => entry.name) : []);

test("a snapshot arrives: modes, links, an empty file; again nothing is missing; another run shares the blobs but not the copy", async (t) => {
  const agent = await startAgent(t);
  const client = await connect(t, agent);
  const big = randomBytes(3_000_000);
  const script = Buffer.from("#!/bin/sh\necho hi\n");
  const empty = Buffer.alloc(0);
  const entries: SnapshotEntry[] = [
    file("src/big.bin", big),
    file("run.sh", script, 0o755),
    file("src/__init__.py", empty),
    { path: "src/link", mode: 0o777, size: 0, link: "../run.sh" },
  ];
  const hashes = entries.flatMap(({ sha256: hash }) => hash ?? []);
  for (const run of ["r1", "r2"]) {
    await client.as(run, 1, { do: "adopt", record: record(run, 1, "c1") });
    const offer = (await client.as(run, 1, { do: "sync-offer", hashes })) as { missing: string[] };
    assert.deepEqual(offer.missing, run === "r1" ? hashes : []);
    if (run === "r1") for (const data of [big, script, empty]) sendBlob(client, run, data);
    const { dir, tree } = (await client.as(run, 1, { do: "sync-commit", entries, tree: treeOf(entries) })) as { dir: string; tree: string };
    assert.equal(tree, treeOf(entries));
    assert.ok(readFileSync(join(dir, "src/big.bin")).equals(big));
    assert.equal(statSync(join(dir, "run.sh")).mode & 0o777, 0o755);
    assert.equal(readlinkSync(join(dir, "src/link")), "../run.sh");
    appendFileSync(join(dir, "run.sh"), "# changed by the program\n");
    await client.as(run, 1, { do: "sync-commit", entries, tree: treeOf(entries) });
    assert.match(readFileSync(join(dir, "run.sh"), "utf8"), /changed by the program/, "twice is once: the copy is the run's own");
    const prepared = await client.as(run, 1, {
      do: "prepare",
      python: null,
      setup: null,
      sessionEnv: { PATH: "/usr/bin:/bin" },
      secrets: {},
      scratch: null,
      ranks: [],
      inPlace: null,
      hashScript: "run.sh",
    });
    assert.equal((prepared as { dir: string }).dir, dir);
  }
  const manifest = Buffer.from(JSON.stringify(entries));
  await client.as("r3", 1, { do: "adopt", record: record("r3", 1, "c1") });
  sendBlob(client, "r3", manifest);
  const long = (await client.as("r3", 1, { do: "sync-commit", entries: [], tree: treeOf(entries), manifest: sha256(manifest) })) as { dir: string };
  assert.ok(existsSync(join(long.dir, "src/big.bin")));
});

test("what is cut, tampered, unsafe or not announced never becomes visible", async (t) => {
  const agent = await startAgent(t);
  const client = await connect(t, agent);
  await client.as("r1", 1, { do: "adopt", record: record("r1", 1, "c1") });
  const data = randomBytes(200_000);
  const entries = [file("a", data)];
  const commit = (list: SnapshotEntry[], tree = treeOf(list)) => client.as("r1", 1, { do: "sync-commit", entries: list, tree });
  await assert.rejects(commit(entries), { code: "SYNC_INCOMPLETE" });
  sendBlob(client, "r1", randomBytes(200_000), sha256(data)); // other bytes under that name
  await assert.rejects(commit(entries), { code: "SYNC_INCOMPLETE" });
  client.socket.send(packFrame({ t: "blob", run: "r1", sha256: sha256(data), offset: 0, size: data.length }, data.subarray(0, 1000)));
  client.socket.send(packFrame({ t: "blob", run: "r1", sha256: sha256(data), offset: 5000, size: data.length }, data.subarray(5000, 6000)));
  client.socket.send(packFrame({ t: "blob", run: "r1", sha256: "../../../../etc/x", offset: 0, size: 1 }, data.subarray(0, 1)));
  client.socket.send(packFrame({ t: "blob", run: "stranger", sha256: sha256(data), offset: 0, size: 1 }, data.subarray(0, 1)));
  await assert.rejects(commit(entries), { code: "SYNC_INCOMPLETE" });
  assert.deepEqual(
    listAll(join(agent.root, "blobs")).filter((name) => name.length > 2),
    [],
    "neither a blob nor a part of one",
  );
  sendBlob(client, "r1", data);
  await assert.rejects(commit(entries, "0".repeat(64)), { code: "SYNC_TREE" });
  for (const bad of [
    file("../x", data),
    file("/x", data),
    { path: "l", mode: 0o777, size: 0, link: "/etc" },
    { path: "l", mode: 0o777, size: 0, link: "a/../../x" },
  ]) {
    await assert.rejects(commit([bad]), { code: "SYNC_UNSAFE" });
  }
  assert.ok(!existsSync(join(agent.stateDir, "runs/r1/code")));
  const { dir } = (await commit(entries)) as { dir: string };
  assert.ok(lstatSync(join(dir, "a")).isFile());
});

test("a blob that was changed on the host's disk is noticed after a restart of the agent, and asked for again", async (t) => {
  const agent = await startAgent(t);
  const client = await connect(t, agent);
  const data = randomBytes(1000);
  const entries = [file("a", data)];
  await client.as("r1", 1, { do: "adopt", record: record("r1", 1, "c1") });
  sendBlob(client, "r1", data);
  await client.as("r1", 1, { do: "sync-commit", entries, tree: treeOf(entries) });
  writeFileSync(join(agent.root, "blobs", sha256(data).slice(0, 2), sha256(data)), randomBytes(1000));
  await client.as("r2", 1, { do: "adopt", record: record("r2", 1, "c1") });
  await assert.rejects(client.as("r2", 1, { do: "sync-commit", entries, tree: treeOf(entries) }), { code: "SYNC_INCOMPLETE" });
  const offer = (await client.as("r2", 1, { do: "sync-offer", hashes: [sha256(data)] })) as { missing: string[] };
  assert.deepEqual(offer.missing, [sha256(data)]);
});
