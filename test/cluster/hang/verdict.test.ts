/** The sentence of a hang: who differs and where, who waits for whom. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { explainLook, rangesOf } from "../../../cluster/hang/verdict.ts";
import { ALL_REDUCE, LOAD, look, process, type RankWish, waiting } from "./looks.ts";

const said = (wishes: readonly RankWish[], more = {}): string => explainLook(look(wishes, more)).text;
const others = [0, 1, 2, 3, 4, 6, 7].map((rank) => waiting(rank, rank < 4 ? "a" : "b"));

test("one rank is elsewhere and the others wait for it in a collective", () => {
  const report = explainLook(look([...others, { rank: 5, host: "b", main: process(LOAD) }]));
  assert.equal(report.text, "rank 5 on b is in load.py:88 (load); the other 7 wait for it in all_reduce (train.py:120)");
  assert.deepEqual([report.rank, report.host], [5, "b"]);
  assert.deepEqual(
    report.groups.map(({ members }) => members.length),
    [1, 7],
  );
});

test("what a process suffers is said in place of where it is", () => {
  for (const [state, words] of [
    ["T", /^rank 5 on b is stopped \(SIGSTOP; kill -CONT lets it go on\); the other 7 wait for it/],
    ["t", /^rank 5 on b is held by a debugger; /],
    ["Z", /^rank 5 on b has ended, and its parent has not noticed; /],
    ["D", /^rank 5 on b waits in the kernel and cannot be woken \(nfs_wait\): a disk, a network mount or a driver; /],
  ] as const) {
    assert.match(said([...others, { rank: 5, host: "b", main: process([], { state, wchan: state === "D" ? "nfs_wait" : "" }) }]), words);
  }
  assert.match(said([...others, { rank: 5, host: "b", main: null }]), /^rank 5 on b is not there any more; /);
});

test("a worker of the data loader that hangs is named with its place", () => {
  const worker = process(["dataset.py:12:__getitem__", "data:fetch"], { pid: 222 });
  const main = process(["std:wait", "data:_try_get_data", "data:__next__", "train.py:100:main"]);
  const text = said([...others, { rank: 5, host: "b", main, others: [worker] }]);
  assert.match(text, /^rank 5 on b waits for its data loader in train\.py:100, whose worker 222 is in dataset\.py:12 \(__getitem__\); /);
  const stopped = said([...others, { rank: 5, host: "b", main, others: [{ ...worker, state: "T" }] }]);
  assert.match(stopped, /whose worker 222 is stopped \(SIGSTOP/);
});

test("a rank that only computes is told with its CPU; one that nobody could read too", () => {
  assert.match(said([...others, { rank: 5, host: "b", main: process(LOAD, { cpus: 0.99 }) }]), /load\.py:88 \(load\), using 99% CPU; /);
  const why = "it is no Python that was started with our hook";
  assert.match(said([...others, { rank: 5, host: "b", main: process([], { why }) }]), /^rank 5 on b sleeps; its stack cannot be read: it is no Python/);
});

test("a program below a shell script counts as the rank", () => {
  const text = said([...others, { rank: 5, host: "b", main: process([], { command: "sh run.sh" }), others: [process(LOAD)] }]);
  assert.match(text, /^rank 5 on b is in load\.py:88/);
});

test("all in the same collective: the network between hosts, or what is inside one", () => {
  assert.equal(
    said([waiting(0, "a"), waiting(1, "b")]),
    "all 2 ranks are in all_reduce (train.py:120) and none gets on: the network between the hosts is suspect",
  );
  assert.doesNotMatch(said([waiting(0, "a"), waiting(1, "a")]), /network/);
  const backward = process(["grad:_engine_run_backward", "train.py:44:step"]);
  assert.match(said([0, 1].map((rank) => ({ rank, host: `h${rank}`, main: backward }))), /^all 2 ranks are in backward \(train\.py:44\) and none gets on/);
});

test("hosts that cannot reach each other are named before the ranks, and no rank is blamed", () => {
  const bad = (...pairs: [string, string][]) =>
    pairs.flatMap(([a, b]) => [
      { from: a, to: b, isBad: true },
      { from: b, to: a, isBad: true },
    ]);
  const good = (...pairs: [string, string][]) => bad(...pairs).map((way) => ({ ...way, isBad: false }));
  const four = [waiting(0, "a"), waiting(1, "b"), waiting(2, "c")];
  const link = explainLook(look(four, { ways: [...bad(["a", "b"]), ...good(["a", "c"], ["b", "c"])] }));
  assert.equal(link.text, "a and b cannot reach each other; all 3 ranks are in all_reduce (train.py:120) and none gets on");
  assert.deepEqual([link.rank, link.host], [null, null]);
  assert.ok(link.evidence.includes("a: nothing answers at the SSH port of b"));
  const host = explainLook(look(four, { ways: [...bad(["a", "b"], ["a", "c"]), ...good(["b", "c"])] }));
  assert.match(host.text, /^a is cut off from the other hosts; /);
  assert.deepEqual([host.rank, host.host], [null, "a"]);
  assert.match(explainLook(look(four, { ways: good(["a", "b"], ["a", "c"], ["b", "c"]) })).text, /the network between the hosts is suspect/);
});

test("a host that says nothing is not called well", () => {
  const text = said([waiting(0, "a"), waiting(1, "a")], { silent: [{ host: "b", why: "it does not answer" }] });
  assert.match(text, /^2 ranks are in all_reduce .*b could not be asked \(it does not answer\), so what they wait for may be there$/);
  assert.match(said([], { silent: [{ host: "b", why: "no link" }] }), /^no rank could be looked at: b could not be asked \(no link\)$/);
});

test("in different collectives: both are told, the minority is the suspect", () => {
  const odd = { rank: 2, host: "b", main: process(["dist:barrier", "wrap:wrapper", "train.py:130:main"]) };
  const report = explainLook(look([waiting(0), waiting(1), odd]));
  assert.match(
    report.text,
    /wait for one another at different places: ranks 0-1 on a are in all_reduce \(train\.py:120\), rank 2 on b is in barrier \(train\.py:130\)$/,
  );
  assert.equal(report.rank, 2);
});

test("the flight recorder says who is behind", () => {
  const text = said([0, 1, 2].map((rank) => ({ rank, host: "a", main: process(ALL_REDUCE), sequence: rank === 1 ? 7 : 10 })));
  assert.equal(text, "rank 1 on a is in all_reduce (train.py:120), 3 collectives behind; the others are ahead of it and wait");
  const elsewhere = said([waiting(0), { rank: 1, host: "a", main: process(LOAD), sequence: 7 }, { ...waiting(2), sequence: 8 }]);
  assert.match(elsewhere, /^rank 1 on a is in load\.py:88 \(load\), 1 collective behind; the other 2 wait for it/);
});

test("nobody waits for another", () => {
  assert.equal(said([{ rank: 0, host: "a", main: process(LOAD) }]), "rank 0 on a is in load.py:88 (load)");
  const two = [0, 1].map((rank) => ({ rank, host: "a", main: process(rank === 0 ? LOAD : ["save.py:3:save"]) }));
  assert.match(said(two), /^no rank waits for another: rank 0 on a is in load\.py:88 \(load\), rank 1 on a is in save\.py:3 \(save\)$/);
});

test("ranges name each rank once, for any set", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(40)), (some) => {
      const sorted = some.sort((a, b) => a - b);
      const read = rangesOf(sorted)
        .split(",")
        .filter((part) => part !== "")
        .flatMap((part) => {
          const [from = 0, to = from] = part.split("-").map(Number);
          return Array.from({ length: to - from + 1 }, (_, k) => from + k);
        });
      assert.deepEqual(read, sorted);
    }),
  );
});
