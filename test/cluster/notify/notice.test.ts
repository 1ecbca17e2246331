/** What people who do not watch are told of a run's turns, and what rings a terminal. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { bellOf } from "../../../cluster/notify/bell.ts";
import { isWanted, type Notice, noticeBody, noticesOf } from "../../../cluster/notify/notice.ts";
import { isFinal, pauseMs, RETRY } from "../../../cluster/notify/retry.ts";
import { play } from "../run/play.ts";

type Run = ReturnType<typeof play>;
const heard = (run: Run): string[] => noticesOf(run.events()).map(({ kind, text }) => `${kind}: ${text.replace("train_20251101_143200 ", "")}`);

const drain = (run: Run): void => {
  for (const host of run.state().members) run.tell({ type: "host-drained", host, attempt: run.state().attempt });
};

test("a failure that is mended: one word when it trains again, none before", () => {
  const run = play({ max: 3 });
  run.pass(1000);
  run.fails({ text: "rank 1 on b exited with code 1" });
  assert.deepEqual(heard(run), []);
  run.again();
  assert.deepEqual(heard(run), ["recovered: trains again from the beginning, attempt 2 on a, b, c; before: rank 1 on b exited with code 1"]);
});

test("the end: a failure with its reason, a stop with who wanted it", () => {
  const run = play({ max: 0 });
  run.pass(61_000);
  run.fails({ text: "no module named x\nTraceback" });
  drain(run);
  assert.deepEqual(heard(run), ["failed: failed after 1 min 1 s: no module named x"]);
  const stopped = play();
  stopped.tell({ type: "stop-requested", by: "ann (pid 3)", why: "", graceMs: 0 });
  stopped.endAll();
  drain(stopped);
  assert.match(heard(stopped).join("\n"), /^ended: stopped after .+: ann \(pid 3\) asked for it$/);
});

test("a run that waits for a lost host stands still, and somebody should know", () => {
  const run = play({ onHostLoss: "wait" });
  run.loses("b");
  assert.deepEqual(heard(run), ["failed: stands still: b is lost; waiting for b (no word from b) to come back"]);
  const [notice] = noticesOf(run.events());
  assert.deepEqual([notice?.phase, notice?.host], ["recovering", "b"]);
});

test("a hang is told when it is found; what a person asked for is no news", () => {
  const run = play();
  run.tell({ type: "hang-found", attempt: 1, verdict: { text: "rank 1 stands in all_reduce", host: "b", rank: 1, evidence: [] } });
  assert.deepEqual(heard(run), ["hang: does not move any more: rank 1 stands in all_reduce"]);
  run.tell({ type: "acted", act: { do: "restart" }, by: "me" });
  run.endAll();
  run.diagnose({ kind: "asked" });
  run.again();
  assert.equal(heard(run).length, 1);
});

test("each has an id of its own, which a replay gives again", () => {
  const run = play({ max: 9 });
  for (let k = 0; k < 3; k++) {
    run.pass(1000);
    run.fails({ place: `p${k}` }, k);
    run.again();
  }
  const ids = noticesOf(run.events()).map(({ id }) => id);
  assert.equal(new Set(ids).size, 3);
  assert.deepEqual(
    noticesOf(run.events()).map(({ id }) => id),
    ids,
  );
});

const notice: Notice = {
  id: "r/failed/1",
  kind: "failed",
  at: 1,
  text: "r failed",
  phase: "failed",
  attempt: 2,
  host: "b",
  rank: null,
  hosts: ["a", "b"],
  world: 4,
};

test("who asked for ends hears of failures, too; of a run that only stands still not", () => {
  assert.ok(isWanted(["ended"], notice) && isWanted(["failed"], notice) && !isWanted(["recovered", "hang"], notice));
  assert.ok(!isWanted(["ended"], { ...notice, phase: "recovering" }));
});

test("the body: what docs/notify.md says, and nothing of the environment", () => {
  const { spec } = play().state();
  assert.deepEqual(noticeBody({ ...spec, env: { TOKEN: "x" } }, notice), {
    schema: 1,
    id: "r/failed/1",
    event: "failed",
    at: "1970-01-01T00:00:00.001Z",
    run: "train_20251101_143200",
    name: "model",
    phase: "failed",
    attempt: 2,
    host: "b",
    rank: null,
    hosts: ["a", "b"],
    world_size: 4,
    tags: [],
    text: "r failed",
    content: "r failed",
  });
});

test("tries: at once, then in growing pauses up to five minutes, and for a day", () => {
  assert.deepEqual(
    [1, 2, 3, 9, 30].map((tries) => pauseMs(tries, 0, RETRY)),
    [1000, 2000, 4000, 256_000, 300_000],
  );
  assert.equal(pauseMs(3, 24 * 3600_000, RETRY), null);
  assert.deepEqual([204, 301, 400, 404, 408, 410, 429, 500, 503].filter(isFinal), [301, 400, 404, 410]);
});

test("the bell rings everywhere; the sequence for notices goes only where one is taken, and holds nothing of anybody else", () => {
  const BEL = "\u0007";
  for (const env of [{}, { TERM: "dumb" }, { TERM: "linux" }, { TERM: "tmux-256color", TMUX: "/tmp/x" }]) assert.equal(bellOf(notice, env), BEL);
  assert.equal(bellOf(notice, { TERM: "xterm-256color" }), `${BEL}\u001b]9;r failed\u001b\\`);
  assert.equal(bellOf(notice, { TERM: "xterm-256color", VTE_VERSION: "7600" }), `${BEL}\u001b]777;notify;nexadist;r failed\u001b\\`);
  const evil = bellOf({ ...notice, text: `a\u001b]52;c;aGk=\u0007b\u009d;x\n${"y".repeat(5000)}` }, { TERM: "foot" });
  const inner = evil.slice(BEL.length + "\u001b]777;notify;nexadist;".length, -2);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  assert.doesNotMatch(inner, /[\u0000-\u001f\u007f-\u009f;]/);
  assert.ok(inner.length < 300);
});
