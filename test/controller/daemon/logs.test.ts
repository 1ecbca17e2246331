/** Log bytes reach the disk exactly once, in order, with gaps on record; reading merges, tails and filters them. */

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import type { LogLine, LogQuery } from "../../../cluster/viewer.ts";
import { feedLines } from "../../../controller/daemon/line-feed.ts";
import { readLogs } from "../../../controller/daemon/log-query.ts";
import { openLogStore } from "../../../controller/daemon/log-store.ts";

const want: LogQuery = {
  hosts: null,
  ranks: null,
  streams: ["out", "err", "nccl", "launcher"],
  attempt: null,
  since: null,
  last: null,
  follow: false,
  grep: null,
};

async function withDir(body: (dir: string) => Promise<void> | void): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "logs-"));
  try {
    await body(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

const read = async (dir: string, query: Partial<LogQuery> = {}): Promise<LogLine[]> => {
  const lines: LogLine[] = [];
  for await (const line of readLogs(dir, { ...want, ...query }, 1)) lines.push(line);
  return lines;
};

test("frames doubled, overlapping and replayed after any reconnect give the bytes once", async () => {
  const chunks = fc.array(fc.record({ from: fc.nat(40), length: fc.integer({ min: 1, max: 30 }) }), { minLength: 1, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(chunks, async (frames) => {
      await withDir((dir) => {
        const text = Buffer.from(Array.from({ length: 400 }, (_, k) => 33 + (k % 90)));
        const store = openLogStore(dir);
        let told = 0;
        for (const { from, length } of frames) {
          const offset = Math.max(0, store.size("h", "a1/rank0.out") - from); // a sender goes on where we are, or before
          told += store.write("h", "a1/rank0.out", offset, text.subarray(offset, offset + length), 1).length;
        }
        const size = store.size("h", "a1/rank0.out");
        store.close();
        assert.deepEqual(readFileSync(join(dir, "a1", "h", "rank0.out")), text.subarray(0, size));
        assert.equal(told, size, "each byte was told to viewers once");
      });
    }),
    { numRuns: 100 },
  );
});

test("bytes that never came are a gap on record, and offsets stay true", async () => {
  await withDir((dir) => {
    const store = openLogStore(dir);
    store.write("h", "a1/rank0.out", 0, Buffer.from("abc"), 1);
    store.gap("h", "a1/rank0.out", 3, 10, "quota");
    store.write("h", "a1/rank0.out", 10, Buffer.from("xyz"), 2);
    assert.deepEqual(store.cursors("h"), { "a1/rank0.out": 13 });
    store.close();
    assert.match(readFileSync(join(dir, "a1", "h", "gaps.jsonl"), "utf8"), /"from":3,"to":10,"why":"quota"/);
  });
});

test("a host cannot write outside its own files", async () => {
  await withDir((dir) => {
    const store = openLogStore(dir);
    for (const stream of ["../x", "a1/../../x.out", "a1/rank0.out/..", "/etc/passwd", "a1/other.txt", ""]) {
      assert.throws(() => store.write("h", stream, 0, Buffer.from("x"), 1), RangeError, stream);
    }
    store.write("../../evil", "a1/rank0.out", 0, Buffer.from("x"), 1);
    store.close();
    assert.equal(readFileSync(join(dir, "a1", encodeURIComponent("../../evil"), "rank0.out"), "utf8"), "x");
  });
});

test("lines of several ranks come merged by arrival, tailed and filtered", async () => {
  await withDir(async (dir) => {
    const store = openLogStore(dir);
    store.write("a", "a1/rank0.out", 0, Buffer.from("one\ntwo\n"), 1000);
    store.write("b", "a1/rank1.out", 0, Buffer.from("three\n"), 3000);
    store.write("a", "a1/rank0.out", 8, Buffer.from("four\nlast without end"), 5000);
    store.write("b", "a1/rank1.err", 0, Buffer.from("oops\n"), 4000);
    store.write("b", "a1/launcher.err", 0, Buffer.from("W1123 torchrun\n"), 4500);
    store.close();
    assert.deepEqual(
      (await read(dir)).map((line) => line.text),
      ["one", "two", "three", "oops", "W1123 torchrun", "four", "last without end"],
    );
    assert.deepEqual(
      (await read(dir, { ranks: [1] })).map((line) => `${line.rank} ${line.stream} ${line.text}`),
      ["1 out three", "1 err oops"],
    );
    assert.deepEqual(
      (await read(dir, { last: 2, streams: ["out"] })).map((line) => line.text),
      ["four", "last without end"],
    );
    assert.deepEqual(
      (await read(dir, { since: 3500, hosts: ["b"] })).map((line) => line.text),
      ["oops", "W1123 torchrun"],
    );
    assert.deepEqual(
      (await read(dir, { grep: "^t", last: 1 })).map((line) => line.text),
      ["three"],
    );
    assert.deepEqual(await read(dir, { attempt: 2 }), []);
    assert.deepEqual(await read(dir, { last: 0 }), []);
  });
});

test("a line cut between frames, also within a character, is one line; a line without end is bounded", () => {
  const lines: LogLine[] = [];
  const feed = feedLines((line) => lines.push(line));
  const bytes = Buffer.from("größe 1\r\nnext\n");
  for (const byte of bytes) feed.push("h", "a1/rank0.out", Uint8Array.of(byte), 1);
  assert.deepEqual(
    lines.map((line) => line.text),
    ["größe 1", "next"],
  );
  for (let k = 0; k < 100; k += 1) feed.push("h", "a1/rank0.out", Buffer.alloc(64 * 1024, 120), 1);
  feed.push("h", "a1/rank0.out", Buffer.from("\n"), 1);
  assert.equal(lines.length, 3);
  assert.ok((lines[2]?.text.length ?? 0) <= 2 * 64 * 1024 + 1);
});
