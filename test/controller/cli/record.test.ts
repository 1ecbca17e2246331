/** `record` writes what a controller tells into one file, without secrets; `replay` plays it without any controller, and refuses what is none. */

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import { replay } from "../../../cluster/run/reduce.ts";
import { nexadist, type Place, place, type Said, start } from "../../support/cli.ts";
import { type Asked, fakeController } from "../../support/fake-controller.ts";
import { recordingOf, rowsOf, said } from "../../support/recordings.ts";

const FAILED = recordingOf("failed");
const { run } = FAILED.head;
const KEY = "hf_abcdefghijklmnopqrstu";
const ROW = { run, name: "demo", phase: "failed", hosts: 2, ranks: 2, attempt: 1, requestedAt: 1, endedAt: 2, file: null, by: "t", failure: null };

function answer({ request, item, end }: Asked): void {
  const state = replay(FAILED.events);
  if (request.ask === "runs") return end([ROW]);
  if (request.ask === "run") return end({ state, events: FAILED.events.length, dir: "/d", wroteAt: null, pace: null, notes: [] });
  if (request.ask === "watch") for (const [index, event] of FAILED.events.entries()) item({ kind: "event", index, event });
  if (request.ask === "logs")
    for (const line of [...FAILED.lines, said(0, FAILED.lines.at(-1)?.at ?? 0, `token=${KEY}\u001b[2J`)]) item({ kind: "line", line });
  if (request.ask === "samples") {
    for (const { host, point } of FAILED.points) item({ kind: "sample", host, point });
    return end({ state, now: 1, hosts: [], totals: { gpuHours: 0, energyKwh: null, measuredShare: null } });
  }
  return end(null);
}

async function recorded(t: TestContext): Promise<{ at: Place; path: string; said: Said; again: (...args: string[]) => Promise<Said> }> {
  const at = place(t);
  const fake = await fakeController(t, answer);
  const again = (...args: string[]): Promise<Said> => nexadist(t, at, ["record", "-o", "x.nexarec", ...args], { NEXADIST_STATE_DIR: fake.stateDir });
  const first = await again();
  assert.equal(first.code, 0, first.err);
  return { at, path: join(at.dir, "x.nexarec"), said: first, again };
}

test("a run in one file of its own, without secrets; it is not written over unasked", async (t) => {
  const { at, path, said: told, again } = await recorded(t);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.doesNotMatch(gunzipSync(readFileSync(path)).toString(), new RegExp(KEY));
  assert.match(told.err, /wrote x\.nexarec \(.+\): 21 events, 21 log lines, 21 samples/);
  assert.match(told.err, /nexadist replay x\.nexarec/);
  const before = readFileSync(path);
  const second = await again();
  assert.deepEqual([second.code, second.err.includes("is there already")], [2, true]);
  assert.deepEqual(readFileSync(path), before);
  assert.equal((await again("-y")).code, 0);
  assert.deepEqual(readdirSync(at.dir).sort(), ["home", "x.nexarec"]);
});

test("without a terminal it is played as the lines that up prints, inert, and no controller is started for it", async (t) => {
  const { at } = await recorded(t);
  const { code, out, err } = await nexadist(t, at, ["replay", "x.nexarec"]);
  assert.equal(code, 0, err);
  assert.match(out, /gpu-b\b.*step 19 loss 0\.19/);
  assert.match(out, /exited with code 3/);
  assert.match(out, /token=\[removed\]/);
  assert.equal((out + err).includes("\u001b[2J"), false);
  assert.match(err, new RegExp(`a recording of ${run}, made .+ by nexadist`));
  assert.equal(existsSync(join(at.dir, "state")), false);
  const json = await nexadist(t, at, ["replay", "x.nexarec", "--json"]);
  const rows = json.out
    .trimEnd()
    .split("\n")
    .map((text) => JSON.parse(text) as { schema: number; kind: string });
  assert.deepEqual([rows.every(({ schema }) => schema === 1), rows.at(-1)?.kind, json.err], [true, "end", ""]);
});

test("with --speed it takes its time, and Ctrl-C ends it", async (t) => {
  const at = place(t);
  const late = FAILED.lines.map((line, k) => ({ ...line, at: line.at + (k > 10 ? 3_600_000 : 0) }));
  writeFileSync(join(at.dir, "slow.nexarec"), gzipSync(rowsOf({ ...FAILED, lines: late }).join("\n")));
  const running = start(t, at, ["replay", "slow.nexarec", "--speed", "5"]);
  await running.says(/step 10 /);
  running.child.kill("SIGINT");
  const { code, out } = await running.done;
  assert.equal(code, 0);
  assert.doesNotMatch(out, /step 11 /);
});

test("what is damaged, cut off, foreign or not there is refused in a sentence", async (t) => {
  const { at, path } = await recorded(t);
  const whole = readFileSync(path);
  const cases: readonly (readonly [string, Uint8Array | null, RegExp])[] = [
    ["absent.nexarec", null, /no such file/],
    ["cut.nexarec", whole.subarray(0, whole.length / 2), /cut off/],
    ["damaged.nexarec", Buffer.concat([whole.subarray(0, 100), Buffer.alloc(40, 7), whole.subarray(140)]), /damaged/],
    ["plain.nexarec", gunzipSync(whole), /no recording of nexadist/],
    ["other.gz", gzipSync("hello\n"), /no recording of nexadist/],
    ["empty.gz", Buffer.alloc(0), /no recording of nexadist/],
  ];
  for (const [name, bytes, why] of cases) {
    if (bytes !== null) writeFileSync(join(at.dir, name), bytes);
    const { code, out, err } = await nexadist(t, at, ["replay", name]);
    assert.deepEqual([code, out], [2, ""], `${name}: ${err}`);
    assert.match(err, why, name);
    assert.doesNotMatch(err, /at .*\.ts|bug/, name);
  }
  const { code, err } = await nexadist(t, at, ["replay", "x.nexarec", "--speed", "fast"]);
  assert.deepEqual([code, err.includes("--speed takes a number")], [2, true]);
});
