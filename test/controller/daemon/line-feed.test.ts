/** Bytes that arrive in any pieces are told as whole lines, and a line without end costs a bounded amount of memory. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { LogLine } from "../../../cluster/viewer.ts";
import { feedLines, type LineFeed } from "../../../controller/daemon/line-feed.ts";
import { openLogStore } from "../../../controller/daemon/log-store.ts";

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

test("who joins in mid-line is told the line whole", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "logs-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const store = openLogStore(dir);
  const give = (text: string, feed: LineFeed | null): void => {
    const data = Buffer.from(text);
    const fresh = store.write("h", "a1/rank0.out", store.size("h", "a1/rank0.out"), data, 1);
    feed?.push("h", "a1/rank0.out", fresh, 1);
  };
  give("before\nstep 1 l\u00f6", null);
  const lines: LogLine[] = [];
  const feed = feedLines((line) => lines.push(line), store.unfinished);
  give("ss 2.5\nnext\n", feed);
  assert.deepEqual(
    lines.map((line) => line.text),
    ["step 1 löss 2.5", "next"],
  );
  store.gap("h", "a1/rank0.out", store.size("h", "a1/rank0.out"), 5000, "quota");
  give("tail", null);
  feedLines((line) => lines.push(line), store.unfinished).push("h", "a1/rank0.out", Buffer.from("\n"), 1);
  store.close();
  assert.ok(lines.every((line) => !line.text.includes("\0")));
});

test("of a progress bar without end the last state is kept", () => {
  const lines: LogLine[] = [];
  const feed = feedLines((line) => lines.push(line));
  for (let k = 0; k < 50_000; k += 1) feed.push("h", "a1/rank0.err", Buffer.from(`\r${k} of 50000`), 1);
  feed.push("h", "a1/rank0.err", Buffer.from("\n"), 1);
  assert.match(lines[0]?.text ?? "", /^49999 of 50000$/);
});
