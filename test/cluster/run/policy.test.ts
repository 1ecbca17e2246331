/** What follows a failed attempt, case by case: brought about by events through the fold, as a controller would hear them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Cause } from "../../../cluster/run/cause.ts";
import { FAULTS_MAX } from "../../../cluster/run/policy.ts";
import { wanted } from "../../../cluster/run/wanted.ts";
import type { Receipt } from "../../../cluster/shim-contract.ts";
import { receipt } from "./model.ts";
import { play, type Wish } from "./play.ts";

const HOUR_MS = 3_600_000;
const HANG = { text: "rank 1 stands still", host: "b", rank: 1, evidence: [] };

test("the budget: max attempts after the first, and not one more without progress", () => {
  for (const max of [1, 2, 5]) {
    const run = play({ max });
    for (let k = 0; k < max; k++) {
      run.fails({ place: `p${k}` });
      assert.equal(run.state().spent, k + 1);
      run.again();
    }
    run.fails({ place: "last" });
    assert.equal(run.over(), `it broke; restart.max (${max}) is used up`);
    assert.equal(run.state().past.length, max + 1);
  }
});

test("max 0: the first failure is the last, with nothing to say of restarts; also when a host is lost", () => {
  const run = play({ max: 0 });
  run.fails();
  assert.equal(run.over(), "it broke");
  const other = play({ max: 0, onHostLoss: "spare", spares: ["s"] });
  other.loses("b");
  assert.equal(other.over(), "b is lost");
});

test("a newer checkpoint refills the budget; the one it began from does not", () => {
  const run = play({ max: 1 });
  run.fails({ place: "p1" }, 10);
  assert.equal(run.state().spent, 1);
  run.tell({ type: "timer", key: "backoff" });
  run.tell({ type: "attempt-begun", attempt: 2, rdzvId: "r", world: 3, members: ["a", "b", "c"], checkpoint: { step: 10, path: "/c" } });
  run.fails({ place: "p2" }, 11);
  assert.equal(run.state().spent, 1, "it got one step further");
  run.tell({ type: "timer", key: "backoff" });
  run.tell({ type: "attempt-begun", attempt: 3, rdzvId: "r", world: 3, members: ["a", "b", "c"], checkpoint: { step: 11, path: "/c" } });
  run.fails({ place: "p3" }, 11);
  assert.match(run.over(), /restart\.max \(1\) is used up/);
});

test("an hour of running refills it too, a minute less does not", () => {
  for (const [ms, isOver] of [
    [HOUR_MS, false],
    [HOUR_MS - 1, true],
  ] as const) {
    const run = play({ max: 1 });
    run.fails({ place: "p1" });
    run.again();
    run.pass(ms);
    run.fails({ place: "p2" });
    if (isOver) assert.match(run.over(), /used up/);
    else assert.equal(run.next(), "abc");
  }
});

const twice: readonly {
  readonly name: string;
  readonly wish?: Wish;
  readonly first: Partial<Cause>;
  readonly second: Partial<Cause>;
  readonly step?: number;
  readonly ends: boolean;
}[] = [
  { name: "the same place", first: { place: "x.py:3" }, second: { place: "x.py:3" }, ends: true },
  { name: "the same place, got further", first: { place: "x.py:3" }, second: { place: "x.py:3" }, step: 5, ends: false },
  { name: "another place", first: { place: "x.py:3" }, second: { place: "x.py:4" }, ends: false },
  { name: "another kind", first: { place: "exit:9", kind: "exit" }, second: { place: "exit:9", kind: "signal" }, ends: false },
  { name: "a bare exit code", first: { place: "exit:9", kind: "exit", exitCode: 9 }, second: { place: "exit:9", kind: "exit", exitCode: 9 }, ends: false },
  { name: "a signal", first: { place: "signal:SIGKILL", kind: "signal" }, second: { place: "signal:SIGKILL", kind: "signal" }, ends: false },
  { name: "no known place", first: { place: null }, second: { place: null }, ends: false },
  { name: "a code of retry_codes", wish: { retryCodes: [75] }, first: { place: "x", exitCode: 75 }, second: { place: "x", exitCode: 75 }, ends: false },
  { name: "another code than those", wish: { retryCodes: [75] }, first: { place: "x", exitCode: 76 }, second: { place: "x", exitCode: 76 }, ends: true },
];
test("the same place twice without progress is not tried a third time", () => {
  for (const { name, wish = {}, first, second, step, ends } of twice) {
    const run = play({ max: 9, ...wish });
    run.fails(first);
    run.again();
    run.fails(second, step ?? null);
    if (ends) assert.equal(run.over(), "it broke; the same ended attempt 1, and no checkpoint was made since", name);
    else assert.equal(run.next(), "abc", name);
  }
});

test("a place that comes back after another is no repetition", () => {
  const run = play({ max: 9 });
  for (const place of ["p", "q", "p"]) {
    run.fails({ place });
    run.again();
  }
});

test("stop_codes and failures that no attempt can mend end the run at once, retry_codes or not", () => {
  const run = play({ stopCodes: [3], retryCodes: [3] });
  run.fails({ exitCode: 3 });
  assert.equal(run.over(), "it broke; restart.stop_codes ends the run on 3");
  const other = play({ stopCodes: [3] });
  other.fails({ exitCode: 4 });
  assert.equal(other.next(), "abc");
  const final = play({ retryCodes: [1] });
  final.fails({ isFinal: true });
  assert.equal(final.over(), "it broke; another attempt would end the same way");
});

test("a lost host costs no budget and no pause, however often", () => {
  const run = play({ max: 1, onHostLoss: "wait" });
  for (const host of ["b", "c", "a", "b", "c"]) {
    run.loses(host);
    assert.equal(run.state().spent, 0);
    assert.equal(run.state().recoverAt, run.state().past.at(-1)?.endedAt);
    assert.equal(run.waits(), `waiting for ${host} (no word from ${host}) to come back`);
    run.returns(host);
    run.again();
  }
  run.fails();
  assert.equal(run.next(), "abc");
});

test("a host that was the cause thrice is set aside: a spare takes its rank, and without one the run says so", () => {
  for (const kind of ["gpu", "host-rebooted", "host-lost"] as const) {
    const run = play({ max: 9, onHostLoss: "spare", spares: ["s"] });
    for (let k = 1; k < FAULTS_MAX; k++) {
      run.fails({ kind, host: "b", place: `p${k}` });
      assert.equal(run.next(), "abc", kind);
      run.again();
    }
    run.fails({ kind, host: "b", place: "p" });
    assert.equal(run.next(), "asc", kind);
    assert.equal(run.state().spent, kind === "gpu" ? FAULTS_MAX : 0, kind);
  }
  const alone = play({ max: 9 });
  for (let k = 0; k < 2; k++) {
    alone.fails({ kind: "gpu", host: "b", place: `p${k}` });
    alone.again();
  }
  alone.fails({ kind: "gpu", host: "b", place: "p" });
  assert.equal(alone.over(), "b was the cause 3 times and is set aside");
  const program = play({ max: 9 });
  for (let k = 0; k < 5; k++) {
    program.fails({ kind: "exception", host: "b", place: `p${k}` });
    program.again();
  }
});

test("spares take the ranks of lost hosts in the order of the file, only those that are ready, and return when nothing else is left", () => {
  const run = play({ onHostLoss: "spare", spares: ["s", "t"] });
  run.loses("a");
  assert.equal(run.next(), "sbc", "the first spare, at the lost host's place");
  const first = play({ onHostLoss: "spare", spares: ["s", "t"] });
  first.tell({ type: "host-unseen", host: "s", why: "silent" });
  first.loses("c");
  assert.equal(first.next(), "abt", "a spare that is silent is none");
  first.again();
  first.loses("a");
  assert.equal(first.waits(), "no spare is ready; waiting for a (no word from a) to come back");
  first.tell({ type: "host-seen", host: "s" });
  assert.equal(first.next(), "sbt");
  const none = play({ onHostLoss: "spare", spares: ["s"] });
  none.loses("b");
  none.again();
  none.loses("s");
  none.returns("b");
  assert.equal(none.next(), "abc", "who was lost once is a spare when it is back");
});

test("shrink: as far as min_hosts and no further", () => {
  const run = play({ onHostLoss: "shrink", minHosts: 2 });
  run.loses("a");
  assert.equal(run.next(), "bc");
  run.again();
  run.loses("c");
  assert.equal(run.waits(), "1 of at least 2 hosts are left; waiting for c (no word from c) to come back");
  const free = play({ onHostLoss: "shrink", minHosts: 3 });
  free.loses("a");
  free.again();
  free.loses("b");
  assert.equal(free.next(), "c", "min_hosts that nobody set is no bound");
});

test("fail: a lost host ends the run; several lost hosts are named", () => {
  const run = play({ onHostLoss: "fail" });
  run.loses("b");
  assert.equal(run.over(), "b is lost; restart.on_host_loss is fail");
  const two = play({ onHostLoss: "wait" });
  for (const host of ["b", "c"]) two.tell({ type: "host-unseen", host, why: "silent" });
  for (const host of ["b", "c"]) two.tell({ type: "host-lost", host, attempt: 1, why: "x" });
  two.endAll();
  two.diagnose({ kind: "host-lost", host: "b", text: "b is lost" });
  assert.equal(two.waits(), "waiting for b, c to come back");
  two.returns("b");
  assert.equal(two.waits(), "waiting for c (x) to come back");
});

test("a host that is only late is waited for by name", () => {
  const run = play();
  run.fails();
  run.tell({ type: "host-unseen", host: "b", why: "silent" });
  assert.equal(run.waits(), "waiting for b to be ready");
  run.tell({ type: "host-seen", host: "b" });
  assert.equal(run.next(), "abc");
});

test("never while anything of the last attempt may be alive: what it is, is said", () => {
  const left: readonly [Receipt, string][] = [
    [{ ...receipt, left: 1, leftPids: [{ pid: 77, start: 1, comm: "python", why: "D" }] }, "on a is still alive: 77 (python)"],
    [{ ...receipt, left: null }, "it is not known whether anything is left of it on a"],
  ];
  for (const [what, words] of left) {
    const run = play({ max: 9 });
    run.tell({ type: "rank-exited", host: "a", attempt: 1, rank: 0, code: 1, signal: null, seenAt: 0 });
    run.end("a", what);
    for (const host of ["b", "c"]) run.end(host);
    run.diagnose({});
    assert.equal(run.over(), `it broke; not tried again: ${words}`);
  }
  const silent = play({ max: 9 });
  silent.tell({ type: "rank-exited", host: "a", attempt: 1, rank: 0, code: 1, signal: null, seenAt: 0 });
  silent.end("a");
  silent.end("b");
  silent.tell({ type: "timer", key: "stop" }); // c is seen, and gave no receipt
  silent.diagnose({});
  assert.equal(silent.over(), "it broke; not tried again: c could not be asked whether anything is left of it");
});

test("a hang: told, tried again, or the end, as the file says", () => {
  const told = play({ onHang: "report" });
  told.tell({ type: "hang-found", attempt: 1, verdict: HANG });
  assert.deepEqual([told.state().phase, told.state().hang?.text, told.state().trouble], ["running", HANG.text, null]);
  told.tell({ type: "hang-over", attempt: 1 });
  assert.equal(told.state().hang, null);
  for (const onHang of ["restart", "stop"] as const) {
    const run = play({ onHang });
    run.tell({ type: "hang-found", attempt: 1, verdict: HANG });
    assert.equal(run.state().phase, "stopping");
    run.endAll();
    run.diagnose({ kind: "hang", text: HANG.text, exitCode: null });
    if (onHang === "restart") {
      assert.equal(run.state().spent, 1, "a hang is the program's");
      assert.equal(run.next(), "abc");
    } else assert.equal(run.over(), HANG.text);
  }
});

test("the pause doubles with each restart that got nowhere, up to 5 min, and up to a quarter is added by chance", () => {
  const run = play({ max: 99, backoffMs: 2000 });
  const pauses: number[] = [];
  for (let k = 0; k < 10; k++) {
    run.fails({ place: `p${k}` }, null, k === 1 ? 1 : 0);
    pauses.push((run.state().recoverAt ?? 0) - (run.state().past.at(-1)?.endedAt ?? 0));
    run.again();
  }
  assert.deepEqual(pauses, [2000, 5000, 8000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000]);
});

test("the answer to a stop that a host gets when it has been started again is about nothing: it is prepared, and takes part", () => {
  const run = play({ max: 1 });
  run.tell({ type: "host-unseen", host: "a", why: "write ECONNRESET" });
  run.tell({ type: "rank-exited", host: "b", attempt: 1, rank: 1, code: null, signal: "SIGTERM", seenAt: 0 });
  run.tell({ type: "host-rebooted", host: "a", attempt: 1, agent: { key: "k-again", bundle: "h", pid: 1 } });
  run.tell({ type: "host-seen", host: "a" });
  run.end("a");
  run.tell({ type: "host-drained", host: "a", attempt: 1 });
  run.endAll();
  run.diagnose({ kind: "host-rebooted", host: "a", rank: null, exitCode: null });
  assert.ok(wanted(run.state()).some((effect) => effect.key === "prepare:a"));
  run.prepare("a");
  assert.equal(run.next(), "abc");
});
