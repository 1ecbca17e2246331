/** Viewers over a real socket: what one that stops reading costs, and that nothing is told twice, in halves, or as an end that was none. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogPage } from "../../../cluster/viewer.ts";
import { ALL, HOST, holds, LIMIT, MIB, RUN, RUNNING, serve } from "../../support/viewers.ts";

test("logs -f: stored and new lines without a seam, also those that come while the stored ones are read", LIMIT, async (t) => {
  const at = await serve(t);
  for (let k = 0; k < 20_000; k += 1) at.write(`line ${k}\n`);
  at.write("half");
  const one = await at.open();
  one.socket.pause();
  one.ask({ id: 1, ask: "logs", run: RUN, want: { ...ALL, follow: true } });
  await holds(() => at.watchers.size === 1 && one.there.writableNeedDrain);
  at.write(" and half\n");
  for (let k = 20_000; k < 60_000; k += 1) at.write(`line ${k}\n`);
  assert.ok(one.there.writableLength < MIB, "a viewer that does not read holds no backlog here");
  one.socket.resume();
  await one.until((a) => "item" in a && a.item.kind === "line" && a.item.line.text === "line 59999");
  at.write("without end");
  at.store.gap("gpu-a", "a1/rank0.out", at.store.size("gpu-a", "a1/rank0.out"), at.store.size("gpu-a", "a1/rank0.out") + 5 * MIB, "quota");
  at.tell((w) => w.done());
  await one.until(one.isEnd);
  const expected = Array.from({ length: 60_000 }, (_, k) => `line ${k}`);
  expected.splice(20_000, 0, "half and half");
  assert.deepEqual(one.lines(), [...expected, "without end", ""]);
  const last = one.answers.at(-2);
  assert.deepEqual(last !== undefined && "item" in last && last.item.kind === "line" && last.item.line.gap?.why, "quota");
  assert.equal(one.kinds().filter((kind) => kind === "caught-up").length, 1);
  assert.equal(at.watchers.size, 0);
});

test("what is told before a watch ends with a whole line; the watch tells the open one when it has its end", LIMIT, async (t) => {
  const at = await serve(t);
  at.write("one\ntwo\nth");
  const one = await at.open();
  one.ask({ id: 1, ask: "logs", run: RUN, want: { ...ALL, last: 20, wholeLines: true } });
  await one.until((a) => a.id === 1 && one.isEnd(a));
  one.ask({ id: 2, ask: "watch", run: RUN, from: RUNNING.length, logs: true });
  await holds(() => at.watchers.size === 1);
  at.write("ree\n");
  at.tell((w) => w.done());
  await one.until((a) => a.id === 2 && one.isEnd(a));
  assert.deepEqual(one.lines(), ["one", "two", "three"]);
  one.ask({ id: 3, ask: "logs", run: RUN, want: { ...ALL, last: 1 } });
  at.write("four");
  await one.until((a) => a.id === 3 && one.isEnd(a));
});

test("a page of a run that goes on: whole lines in one answer, and where to ask on", LIMIT, async (t) => {
  const at = await serve(t);
  at.write("one\ntwo\nth");
  const one = await at.open();
  one.ask({ id: 1, ask: "logs", run: RUN, want: { ...ALL, page: { count: 1, before: null } } });
  await one.until((a) => a.id === 1 && one.isEnd(a));
  const [answer] = one.answers;
  assert.equal(one.answers.length, 1, "no items");
  const page = answer !== undefined && "end" in answer ? (answer.end as LogPage) : assert.fail();
  assert.deepEqual([page.lines.map(({ text }) => text), page.isFirst, page.isLast], [["two"], false, true]);
  one.ask({ id: 2, ask: "logs", run: RUN, want: { ...ALL, page: { count: 5, before: page.from } } });
  await one.until((a) => a.id === 2 && one.isEnd(a));
  const next = one.answers.at(-1);
  assert.deepEqual(next !== undefined && "end" in next && (next.end as LogPage).lines.map(({ text }) => text), ["one"]);
});

test("a line of 100 MB costs a viewer 64 KiB: as it comes, among the last ones and in a page", LIMIT, async (t) => {
  const at = await serve(t);
  const one = await at.open();
  one.ask({ id: 1, ask: "watch", run: RUN, from: RUNNING.length, logs: true });
  await holds(() => at.watchers.size === 1);
  at.write("before\n");
  for (let k = 0; k < 100; k += 1) at.write("y".repeat(MIB));
  at.write("\nafter\n");
  await one.until((a) => "item" in a && a.item.kind === "line" && a.item.line.text === "after");
  const short = (lines: readonly string[]): void => {
    assert.equal(lines.length, 3);
    assert.deepEqual([lines[0], lines[2]], ["before", "after"]);
    assert.match(lines[1] ?? "", /^y{65536}…$/);
  };
  short(one.lines());
  one.ask({ id: 2, ask: "logs", run: RUN, want: { ...ALL, page: { count: 10, after: null } } });
  await one.until((a) => a.id === 2 && one.isEnd(a));
  const answer = one.answers.at(-1);
  const page = answer !== undefined && "end" in answer ? (answer.end as LogPage) : assert.fail();
  short(page.lines.map(({ text }) => text));
});

test("watch with the last lines: stored and new ones without a seam, however long the stored ones take", LIMIT, async (t) => {
  const at = await serve(t);
  const long = (k: number): string => `${k} ${"x".repeat(60_000)}`;
  for (let k = 0; k < 30; k += 1) at.write(`${long(k)}\n`);
  at.write("half");
  const one = await at.open();
  one.socket.pause();
  one.ask({ id: 1, ask: "watch", run: RUN, from: RUNNING.length, logs: true, last: 20 });
  await holds(() => at.watchers.size === 1 && one.there.writableNeedDrain);
  at.write(" and half\n");
  for (let k = 30; k < 2000; k += 1) at.write(`${k}\n`);
  assert.ok(one.there.writableLength < 2 * MIB, "what waits is bounded");
  one.socket.resume();
  await one.until((a) => "item" in a && a.item.kind === "line" && a.item.line.text === "1028");
  at.write("now\n");
  at.tell((w) => w.done());
  await one.until(one.isEnd);
  const news = Array.from({ length: 999 }, (_, k) => `${k + 30}`); // a thousand wait at most, the half one among them
  assert.deepEqual(one.lines(), [...Array.from({ length: 20 }, (_, k) => long(k + 10)), "half and half", ...news, "now"]);
  assert.match(one.notices()[0] ?? "", /^971 log lines left out here/);
  assert.equal(at.watchers.size, 0);
});

test("cancel ends logs in the midst of the stored lines, and leaves nothing registered", LIMIT, async (t) => {
  const at = await serve(t);
  at.write(`${"x".repeat(1000)}\n`.repeat(20_000));
  const one = await at.open();
  one.socket.pause();
  const before = one.there.listenerCount("close");
  one.ask({ id: 1, ask: "logs", run: RUN, want: { ...ALL, follow: true } });
  await holds(() => one.there.writableNeedDrain);
  one.ask({ id: 2, ask: "cancel", cancel: 1 });
  await holds(() => at.watchers.size === 0);
  one.socket.resume();
  await one.until(one.isEnd);
  assert.ok(one.lines().length < 20_000, `${one.lines().length} lines`);
  assert.equal(one.there.listenerCount("close"), before, "no listener a wait");
  assert.equal(one.there.listenerCount("drain"), 0);
  one.ask({ id: 3, ask: "ping" });
  assert.ok(await one.until((a) => a.id === 3), "the connection is fit for more");
});

test("watch: a stopped terminal loses lines, counted; events that pile up cut it off; it comes back and misses none", LIMIT, async (t) => {
  const at = await serve(t);
  const one = await at.open();
  one.ask({ id: 1, ask: "watch", run: RUN, from: 0, logs: true });
  await holds(() => at.watchers.size === 1);
  await one.until((a) => "item" in a && a.item.kind === "event" && a.item.index === RUNNING.length - 1);
  one.socket.pause();
  const long = "y".repeat(10_000);
  for (let k = 0; k < 3000; k += 1) at.write(`${long}\n`);
  assert.ok(one.there.writableLength < 9 * MIB, `${one.there.writableLength}`);
  one.socket.resume();
  await holds(() => one.there.writableLength === 0);
  at.write("now\n");
  await one.until((a) => "item" in a && a.item.kind === "line" && a.item.line.text === "now");
  const lost = Number(/^(\d+) log lines left out here/.exec(one.notices()[0] ?? "")?.[1]);
  assert.equal(one.lines().length + lost, 3001);

  one.socket.pause();
  const notice = "z".repeat(100_000);
  for (let k = 0; k < 400 && !one.there.destroyed; k += 1) at.tell((w) => w.notice(null, notice));
  assert.ok(one.there.destroyed, "40 MB of notices are not kept for it");
  await holds(() => at.watchers.size === 0);
  one.socket.resume();

  const again = await at.open();
  again.ask({ id: 1, ask: "watch", run: RUN, from: 3, logs: false });
  await holds(() => at.watchers.size === 1);
  at.tell((w) => w.done());
  assert.deepEqual(await again.until(again.isEnd), { id: 1, end: null });
  const told = again.answers.flatMap((a) => ("item" in a && a.item.kind === "event" ? [a.item.index] : []));
  assert.deepEqual(
    told,
    Array.from({ length: RUNNING.length - 3 }, (_, k) => k + 3),
  );
});

test("a whole watch: a reader that stops loses nothing and costs nothing, and events keep their place", LIMIT, async (t) => {
  const at = await serve(t);
  at.write("before\n");
  const one = await at.open();
  one.ask({ id: 1, ask: "watch", run: RUN, from: 0, logs: true, whole: true });
  await holds(() => at.watchers.size === 1);
  await one.until((a) => "item" in a && a.item.kind === "event" && a.item.index === RUNNING.length - 1);
  one.socket.pause();
  const line = (k: number): string => `${k} ${"y".repeat(200)}`;
  for (let k = 0; k < 60_000; k += 1) {
    at.write(`${line(k)}\n`);
    if (k % 20 === 0) at.tell((w) => w.notice("gpu-a", `step ${k}`));
    if (k % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(one.there.writableLength < MIB, "what waits is bounded");
  }
  at.append({ at: 1, type: "stop-requested", by: "t", why: "", graceMs: 0 });
  at.write("without end");
  at.tell((w) => w.done());
  one.socket.resume();
  await one.until(one.isEnd);
  assert.deepEqual(one.lines(), [...Array.from({ length: 60_000 }, (_, k) => line(k)), "without end"]);
  const told = one.answers.flatMap((a) => ("item" in a && a.item.kind === "event" ? [a.item.index] : []));
  assert.deepEqual(told, [...RUNNING.keys(), RUNNING.length]);
  assert.equal(one.notices().at(-1), "step 59980");
  assert.doesNotMatch(one.notices().join(), /left out/);
  assert.equal(at.watchers.size, 0);
  assert.equal(one.there.listenerCount("drain"), 0);
});

test("watch and logs -f of a run that nobody drives: a problem when it is not over, an end when it is", LIMIT, async (t) => {
  for (const until of ["running", "succeeded"] as const) {
    const at = await serve(t, { isLive: false, until });
    const one = await at.open();
    one.ask({ id: 1, ask: "watch", run: RUN, from: 0, logs: true });
    await one.until((a) => a.id === 1 && one.isEnd(a));
    one.ask({ id: 2, ask: "logs", run: RUN, want: { ...ALL, follow: true } });
    await one.until((a) => a.id === 2 && one.isEnd(a));
    const ends = one.answers.filter(one.isEnd);
    if (until === "succeeded")
      assert.deepEqual(ends, [
        { id: 1, end: null },
        { id: 2, end: null },
      ]);
    else {
      assert.deepEqual(one.kinds().slice(-2), ["RUN_NOT_DRIVEN", "RUN_NOT_DRIVEN"]);
      assert.ok(ends.every((end) => "problem" in end && end.problem.exit === 7 && end.problem.message.includes(RUN)));
    }
  }
});

test("exec: a slow reader makes the command wait, an agent that does not know how has it ended; a viewer that goes ends it too", LIMIT, async (t) => {
  const at = await serve(t);
  const one = await at.open();
  const ask = { ask: "exec", host: HOST, argv: ["yes"], reach: {} } as const;
  one.ask({ id: 1, ...ask });
  await holds(() => at.execs.length === 1);
  at.execs[0]?.output(1, Buffer.from("fine"));
  await one.until((a) => "item" in a);
  one.socket.pause();
  const data = Buffer.alloc(64 * 1024, 121);
  let taken = 0;
  const ahead = Array.from({ length: 16 }, async () => {
    await at.execs[0]?.output(1, data);
    taken += 1;
  });
  await holds(() => one.there.writableNeedDrain);
  assert.ok(taken < 16, "room for all of it was promised to the agent");
  assert.ok(one.there.writableLength < MIB, "what waits, waits there");
  one.socket.resume();
  await Promise.all(ahead);
  one.socket.pause();
  for (let k = 0; k < 1000; k += 1) at.execs[0]?.output(1, data);
  assert.equal(at.execs[0]?.kills, 1);
  assert.ok(one.there.writableLength < 9 * MIB, `${one.there.writableLength}`);
  one.socket.resume();
  const end = await one.until(one.isEnd);
  assert.ok(end !== undefined && "problem" in end && end.problem.code === "EXEC_SLOW");
  assert.match(end.problem.message, /^gpu-a: the command was ended/);

  one.ask({ id: 2, ...ask });
  await holds(() => at.execs.length === 2);
  at.execs[1]?.end({ code: 3, signal: null });
  assert.deepEqual(await one.until((a) => a.id === 2), { id: 2, end: { code: 3, signal: null } });
  one.ask({ id: 3, ...ask });
  await holds(() => at.execs.length === 3);
  one.socket.destroy();
  await holds(() => at.execs[2]?.kills === 1);
  assert.equal(at.execs[1]?.kills, 0);
});

test("what no viewer sends closes that viewer alone", LIMIT, async (t) => {
  const at = await serve(t);
  const good = await at.open();
  for (const text of ["null\n", "7\n", "{}\n", "{\n"]) {
    const bad = await at.open();
    bad.socket.write(text);
    assert.equal(await bad.until(() => false), undefined, text);
  }
  good.ask({ id: 1, ask: "nonsense" as "ping" });
  good.ask({ id: 2, ask: "ping" });
  await good.until((a) => a.id === 2);
  assert.deepEqual(good.kinds(), ["USAGE", "end"]);
});
