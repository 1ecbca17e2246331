/** A snapshot sent over a link: only what is missing, whole and in order; never a file that changed on the way. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { NexaError } from "../../../cluster/errors.ts";
import { unpackFrame } from "../../../cluster/frame.ts";
import { type Command, commandSchema, FRAME_DATA, MAX_FRAME } from "../../../cluster/protocol.ts";
import { fromDisk, type SyncLink, syncHost } from "../../../controller/sync/send.ts";
import { takeSnapshot } from "../../../controller/sync/snapshot.ts";

const AUTHORITY = { run: "train_1", epoch: 1, controller: "c" };

/** The receiving side, in memory: checks as a host does. */
function host(): SyncLink & { blobs: Map<string, Buffer>; commits: Command[]; frames: number; inFlight: number } {
  const partial = new Map<string, Buffer[]>();
  const side = {
    blobs: new Map<string, Buffer>(),
    commits: [] as Command[],
    frames: 0,
    inFlight: 0,
    command: async (command: Command): Promise<unknown> => {
      commandSchema.parse(command);
      if (command.do === "sync-offer") return { missing: command.hashes.filter((h) => !side.blobs.has(h)) };
      assert.equal(command.do, "sync-commit");
      side.commits.push(command);
      return { dir: "/there" };
    },
    send: async (frame: Uint8Array): Promise<void> => {
      side.frames++;
      assert.equal(++side.inFlight, 1, "the next frame waits until the link took this one");
      await new Promise((done) => setImmediate(done));
      side.inFlight--;
      assert.ok(frame.length <= MAX_FRAME);
      const { header, data } = unpackFrame(frame);
      assert.equal(header.t, "blob");
      if (header.t !== "blob") return;
      assert.ok(data.length <= FRAME_DATA);
      const parts = partial.get(header.sha256) ?? [];
      assert.equal(
        header.offset,
        parts.reduce((n, p) => n + p.length, 0),
      );
      parts.push(Buffer.from(data));
      partial.set(header.sha256, parts);
      const whole = Buffer.concat(parts);
      if (whole.length < header.size) return;
      assert.equal(createHash("sha256").update(whole).digest("hex"), header.sha256);
      side.blobs.set(header.sha256, whole);
    },
  };
  return side;
}

async function code(t: TestContext): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "nexa-send-"));
  t.after(() => rm(root, { recursive: true, force: true }));
  await writeFile(join(root, "big.bin"), Buffer.alloc(FRAME_DATA * 2 + 7, "ab"));
  await writeFile(join(root, "exact.bin"), Buffer.alloc(FRAME_DATA, "c"));
  await writeFile(join(root, "empty.py"), "");
  await writeFile(join(root, "same1.py"), "same");
  await writeFile(join(root, "same2.py"), "same");
  return root;
}

test("everything arrives once, a second time nothing travels", async (t) => {
  const snapshot = await takeSnapshot(await code(t));
  const there = host();
  const seen: [number, number][] = [];
  assert.deepEqual(await syncHost(there, AUTHORITY, fromDisk(snapshot), (sent, total) => seen.push([sent, total])), { dir: "/there" });
  assert.equal(there.blobs.size, 4); // equal files travel once
  assert.equal(there.frames, 3 + 1 + 1 + 1);
  const total = FRAME_DATA * 3 + 7 + 4;
  assert.deepEqual(seen[0], [0, total]);
  assert.deepEqual(seen.at(-1), [total, total]);
  await syncHost(there, AUTHORITY, fromDisk(snapshot));
  assert.equal(there.frames, 6);
  assert.equal(there.commits.length, 2);
});

test("a file that changed since is never completed nor committed", async (t) => {
  const root = await code(t);
  const snapshot = await takeSnapshot(root);
  for (const text of ["AAAA", "longer than before", ""]) {
    await writeFile(join(root, "same1.py"), text);
    await writeFile(join(root, "same2.py"), text);
    const there = host();
    await assert.rejects(syncHost(there, AUTHORITY, fromDisk(snapshot)), (e: unknown) => e instanceof NexaError && e.code === "CODE_CHANGED");
    assert.equal(there.commits.length, 0);
    assert.ok(!there.blobs.has(createHash("sha256").update("same").digest("hex")));
  }
  await rm(join(root, "same1.py"));
  await assert.rejects(syncHost(host(), AUTHORITY, fromDisk(snapshot)), (e: unknown) => e instanceof NexaError && e.code === "CODE_CHANGED");
});

test("twenty thousand files: every command and frame fits, and the list itself travels as a blob", async (t) => {
  const root = await code(t);
  const one = await takeSnapshot(root);
  const names = Array.from({ length: 20_000 }, (_, k) => `pkg/module_${k}/file.py`);
  const entries = names.map((path) => ({ path, mode: 0o644, size: 4, sha256: createHash("sha256").update("same").digest("hex") }));
  const hashes = names.map((name) => createHash("sha256").update(name).digest("hex"));
  const there = host();
  const sizes: number[] = [];
  const link = {
    ...there,
    command: async (command: Command): Promise<unknown> => {
      sizes.push(JSON.stringify(command).length);
      return there.command(command);
    },
    send: there.send,
  };
  for (const hash of hashes) there.blobs.set(hash, Buffer.alloc(0)); // all are there already but their list
  there.blobs.set(entries[0]?.sha256 ?? "", Buffer.from("same"));
  await syncHost(link, AUTHORITY, fromDisk({ ...one, entries: entries.map((entry, k) => ({ ...entry, sha256: hashes[k] ?? "" })) }));
  assert.ok(Math.max(...sizes) < MAX_FRAME, `largest command ${Math.max(...sizes)} bytes`);
  const [commit] = there.commits as { entries: unknown[]; manifest: string }[];
  assert.equal(commit?.entries.length, 0);
  assert.equal((JSON.parse(there.blobs.get(commit?.manifest ?? "")?.toString() ?? "[]") as unknown[]).length, 20_000);
});
