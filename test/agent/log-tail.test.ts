/** The log tail on real files: every byte once and in order, holes as gaps, never far ahead of the acknowledgement, nobody starved. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { tailLogs } from "../../agent/log-tail.ts";
import { addEvent, attemptDir, openRun, type Run, viewOf } from "../../agent/run.ts";
import { type BinaryHeader, unpackFrame } from "../../cluster/frame.ts";
import { LOG_WINDOW } from "../../cluster/protocol.ts";
import { seal } from "../../cluster/sealed-line.ts";

type Frame = { readonly header: Extract<BinaryHeader, { t: "log" | "gap" }>; readonly data: Buffer };

function setUp(t: TestContext, attempts = [1]) {
  const dir = mkdtempSync(join(tmpdir(), "nxd-tail-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const run = openRun(dir, "r1", () => undefined);
  for (const attempt of attempts) {
    mkdirSync(attemptDir(run, attempt));
    viewOf(run, attempt);
  }
  const frames: Frame[] = [];
  let tell = (): void => undefined;
  const start = (cursors: Record<string, number> = {}, shouldAck = true, hasRoom = () => true) => {
    const tail = tailLogs(
      run,
      cursors,
      {
        hasRoom,
        sendFrame: (frame) => {
          const { header, data } = unpackFrame(frame);
          assert.ok(header.t === "log" || header.t === "gap");
          frames.push({ header, data: Buffer.from(data) });
          if (shouldAck) setImmediate(() => tail.ack({ [header.stream]: header.t === "gap" ? header.to : header.offset + data.length }));
          setImmediate(() => tell());
        },
      },
      (text) => assert.fail(text),
    );
    t.after(() => tail.close());
    return tail;
  };
  const until = (done: () => boolean, what: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`not seen: ${what}; ${frames.length} frames`)), 10_000);
      tell = () => {
        if (!done()) return;
        clearTimeout(timer);
        resolve();
      };
      tell();
    });
  const bytesOf = (stream: string): number => frames.reduce((sum, { header, data }) => (header.stream === stream ? sum + data.length : sum), 0);
  const file = (name: string, attempt = 1): string => join(attemptDir(run, attempt), name);
  return { run, frames, start, until, bytesOf, file };
}

/** Text as it came, with [from..to] for gaps; fails on a hole or an overlap that is no gap. */
function read(frames: readonly Frame[], stream: string, from = 0): string {
  let at = from;
  let text = "";
  for (const { header, data } of frames) {
    if (header.stream !== stream) continue;
    assert.equal(header.offset, at, stream);
    if (header.t === "gap") text += `[${header.offset}..${header.to} ${header.why}]`;
    else text += data.toString("latin1");
    at = header.t === "gap" ? header.to : at + data.length;
  }
  return text;
}

const drain = (run: Run, attempt = 1): void => addEvent(run, attempt, { type: "drained", at: 0, sizes: {} });

test("files that grow, appear late, and are not streams; from the cursors on; the last bytes after drained", async (t) => {
  const { run, frames, start, until, file } = setUp(t, [1, 2]);
  writeFileSync(file("rank0.out"), "old new");
  writeFileSync(file("arm.json"), "secret");
  writeFileSync(file("shim.log"), "not a stream");
  start({ "a1/rank0.out": 4 });
  await until(() => read(frames, "a1/rank0.out", 4) === "new", "the rest of what was there");
  writeFileSync(file("rank1.err"), "late");
  writeFileSync(file("launcher.out", 2), "second");
  await until(() => read(frames, "a1/rank1.err") === "late" && read(frames, "a2/launcher.out") === "second", "files that came later");
  appendFileSync(file("rank0.out"), " last");
  drain(run);
  await until(() => read(frames, "a1/rank0.out", 4) === "new last", "the end");
  drain(run, 2);
  assert.deepEqual([...new Set(frames.map(({ header }) => header.stream))].sort(), ["a1/rank0.out", "a1/rank1.err", "a2/launcher.out"]);
});

test("without acknowledgement no more than LOG_WINDOW; with it the rest; other streams are not starved", async (t) => {
  const { frames, start, until, bytesOf, file } = setUp(t);
  const big = randomBytes(LOG_WINDOW + 3_000_000);
  writeFileSync(file("rank0.out"), big);
  writeFileSync(file("rank1.out"), "small");
  const tail = start({}, false);
  await until(() => bytesOf("a1/rank0.out") + bytesOf("a1/rank1.out") === LOG_WINDOW, "a full window");
  assert.ok(frames.findIndex(({ header }) => header.stream === "a1/rank1.out") <= 1, "a small stream comes in its turn");
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(bytesOf("a1/rank0.out") + bytesOf("a1/rank1.out"), LOG_WINDOW, "not a byte more");
  tail.ack({ "a1/rank0.out": bytesOf("a1/rank0.out"), "a1/none.out": 5 });
  await until(() => bytesOf("a1/rank0.out") === big.length, "the rest");
  assert.ok(Buffer.from(read(frames, "a1/rank0.out"), "latin1").equals(big));
});

test("a punched hole is a gap, whether its event came before or only lies in the attempt's file; zeros of the program stay zeros", async (t) => {
  const { run, frames, start, until, file } = setUp(t);
  const zeros = "\0".repeat(8192);
  writeFileSync(file("rank0.out"), `${"a".repeat(8192)}${"b".repeat(4096)}`);
  writeFileSync(file("rank1.out"), `${"c".repeat(4096)}${"d".repeat(8192)}${"e".repeat(100)}`);
  writeFileSync(file("rank2.out"), `x${zeros}y`);
  execFileSync("fallocate", ["-p", "-o", "0", "-l", "8192", file("rank0.out")]);
  execFileSync("fallocate", ["-p", "-o", "4096", "-l", "8192", file("rank1.out")]);
  const gap = { index: 1, at: 0, type: "gap" as const, file: "rank1.out", from: 4096, to: 12288, why: "quota" as const };
  addEvent(run, 1, { index: 0, at: 0, type: "gap", file: "rank0.out", from: 0, to: 8192, why: "quota" });
  writeFileSync(join(attemptDir(run, 1), "events.jsonl"), `${seal(JSON.stringify(gap))}\n`);
  start();
  const whole = (stream: string, text: string) => until(() => read(frames, stream) === text, stream);
  await whole("a1/rank0.out", `[0..8192 quota]${"b".repeat(4096)}`);
  await whole("a1/rank1.out", `${"c".repeat(4096)}[4096..12288 quota]${"e".repeat(100)}`);
  await whole("a1/rank2.out", `x${zeros}y`);
});

test("a link without room gets nothing until it has some", async (t) => {
  const { frames, start, until, bytesOf, file } = setUp(t);
  writeFileSync(file("rank0.out"), "waiting");
  let hasRoom = false;
  start({}, true, () => hasRoom);
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(frames.length, 0);
  hasRoom = true;
  await until(() => bytesOf("a1/rank0.out") === 7, "the line");
});
