/** Folding, levels, filters, wrapping and windows hold for any lines. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { widthOf } from "../../../cluster/view/table.ts";
import type { LogLine } from "../../../cluster/viewer.ts";
import { parseFilter } from "../../../tui/log/filter.ts";
import { createFolder, type Row, sameText } from "../../../tui/log/fold.ts";
import { createLevels, levelOf } from "../../../tui/log/level.ts";
import { createReel } from "../../../tui/log/reel.ts";
import { after, before, countAfter, firstRef, lastRef, nearest, type Ref, rowAt, seek } from "../../../tui/log/walk.ts";
import { rankNames } from "../../../tui/log/who.ts";
import { windowOf } from "../../../tui/log/window.ts";
import { fromColumn, headOf, wrapText } from "../../../tui/log/wrap.ts";
import { createLogBook } from "../../../tui/log-book.ts";
import { lineOf } from "../support/stories.ts";

const anyLine = fc.record({
  host: fc.constantFrom("a", "b"),
  rank: fc.constantFrom(null, 0, 1, 2, 3),
  stream: fc.constantFrom("out" as const, "err" as const),
  attempt: fc.constantFrom(1, 1, 1, 2),
  at: fc.integer({ min: 0, max: 20_000 }),
  text: fc.constantFrom("alike", "other", "", "step 1", "ERROR: no", "[rank1]: alike", "14:02:11 alike"),
});
const anyLines = fc.array(anyLine, { maxLength: 80 }).map((lines) => [...lines].sort((x, y) => x.at - y.at));

const fold = (lines: readonly LogLine[]): readonly Row[] => {
  const folder = createFolder(null);
  for (const [place, line] of lines.entries()) folder.push(line, levelOf(line.text), place);
  return folder.rows;
};
const who = ({ host, rank }: LogLine): string => `${host} ${rank}`;

test("folded rows have every line once, each rank's in its order, and only alike ones together", () => {
  fc.assert(
    fc.property(anyLines, (lines) => {
      const rows = fold(lines);
      const members = rows.map((row) => [row.line, ...row.also]);
      assert.equal(members.flat().length, lines.length);
      assert.equal(new Set(members.flat()).size, lines.length);
      for (const name of new Set(lines.map(who)))
        assert.deepEqual(
          members.flat().filter((line) => who(line) === name),
          lines.filter((line) => who(line) === name),
        );
      for (const group of members) {
        const [first] = group;
        assert.ok(
          first !== undefined && group.every((line) => sameText(line) === sameText(first) && line.stream === first.stream && line.attempt === first.attempt),
        );
        assert.ok(group.every((line) => Math.abs(line.at - first.at) <= 2000));
        assert.equal(new Set(group.map(who)).size, group.length, "no rank is named twice");
      }
    }),
  );
});

test("what all ranks say at once is one row; a word that differs is its own", () => {
  const say = (rank: number, text: string): LogLine => lineOf("a", rank, 1000 + rank, text);
  const rows = fold([0, 1, 2, 3].flatMap((rank) => [say(rank, "begin"), say(rank, rank === 2 ? "three" : "all")]));
  assert.deepEqual(
    rows.map(({ line, also }) => [line.text, 1 + also.length]),
    [
      ["begin", 4],
      ["all", 3],
      ["three", 1],
    ],
  );
  const logged = [0, 1].map((rank) => say(rank, `[rank${rank}]:[2026-01-02 10:00:0${rank},5${rank}1] loaded`));
  assert.equal(fold(logged).length, 1, "the time of a logger and torch's rank are no difference");
  const gap = { from: 0, to: 5, why: "quota" };
  assert.equal(fold([0, 1].map((rank) => lineOf("a", rank, 5, "", { gap }))).length, 2, "gaps stay apart");
});

test("levels: what loggers, Python, glog and NCCL write, and the frames of a traceback", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["step=3 loss=2.1", "info"],
    ["2026-01-01 10:00:00,1 ERROR train: no data", "error"],
    ["torch.OutOfMemoryError: CUDA out of memory", "error"],
    ["KeyboardInterrupt", "error"],
    ["Traceback (most recent call last):", "error"],
    ["E1124 14:02:11.000 4000 api.py:869] failed (exitcode: 1)", "error"],
    ["W1124 14:02:11.000 4000 run.py:851] Setting OMP_NUM_THREADS", "warning"],
    ["node-a:1:2 [0] NCCL WARN NET/IB : Got completion with error 12", "warning"],
    ["/x/y.py:3: UserWarning: slow", "warning"],
    ["DEBUG:root:x", "debug"],
    ["eval error rate 0.1", "info"],
    ["0 errors so far", "info"],
    ["no_error_here = True", "info"],
  ];
  for (const [text, level] of cases) assert.equal(levelOf(text), level, text);
  const of = createLevels();
  const texts = ["Traceback (most recent call last):", '  File "x.py", line 3', "    main()", "ValueError: bad", "step=1"];
  assert.deepEqual(
    texts.map((text) => of(lineOf("a", 0, 1, text))),
    ["error", "error", "error", "error", "info"],
  );
  assert.equal(of(lineOf("a", 1, 1, "  indented")), "info", "another rank's traceback is not its own");
});

test("filters: terms narrow, the rest is a pattern, ! turns each round, and what is wrong is said", () => {
  const line = (more: Partial<LogLine>): LogLine => lineOf("gpu-a", 17, 1, "loss is NaN at step 3", more);
  const holds = (text: string, more: Partial<LogLine> = {}): boolean => {
    const parsed = parseFilter(text);
    assert.ok(parsed.ok, text);
    return parsed.filter.matches(line(more), "warning");
  };
  for (const yes of [
    "",
    "nan",
    "loss is",
    "NaN at",
    "rank:16-18",
    "rank:3,17",
    "host:gpu-*",
    "host:x,GPU-A",
    "level:warn",
    "stream:out",
    "stream:stdout",
    "!inf",
    "rank:17 nan !inf",
    "!rank:3",
    "step \\d",
    "!",
  ])
    assert.equal(holds(yes), true, yes);
  for (const no of ["NAN", "inf", "!nan", "rank:1", "rank:170", "host:gpu", "level:error", "stream:err", "nan !step", "!host:gpu-a"])
    assert.equal(holds(no), false, no);
  assert.equal(holds("rank:0-99", { rank: null }), false, "a launcher has no rank");
  assert.equal(holds("nan", { text: "\u001b[31mloss is n\u001b[0man" }), true, "colours are not in the way");
  assert.equal(holds("begin", { text: "begin\rend" }), false, "what a carriage return overwrote is not there");
  for (const wrong of ["(", "level:bad", "rank:x", "stream:tape", "(a+)+$", "(x|y*)*z", "!["]) assert.equal(parseFilter(wrong).ok, false, wrong);
});

test("no text takes a filter's parser down, and none that it takes takes long", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 40 }), fc.string({ unit: "binary", maxLength: 60 }), (text, of) => {
      const parsed = parseFilter(text);
      if (parsed.ok) parsed.filter.matches(lineOf("a", 0, 1, of), "info");
      else assert.notEqual(parsed.why, "");
    }),
    { numRuns: 500 },
  );
});

const reelOf = (lines: readonly LogLine[], wanted: string) => {
  const parsed = parseFilter(wanted);
  assert.ok(parsed.ok);
  const sizes = [0, 3, 0, 7, 1, 5];
  const blocks: LogLine[][] = [];
  for (let from = 0, k = 0; from < lines.length; k += 1) {
    const size = sizes[k % sizes.length] ?? 1;
    blocks.push(lines.slice(from, from + size));
    from += size;
  }
  return createReel({ firstBlock: () => 10, endBlock: () => 10 + blocks.length, block: (k) => blocks[k - 10] ?? [] }, parsed.filter.matches);
};

test("walking forth and back meets the same rows, whatever blocks are empty", () => {
  fc.assert(
    fc.property(anyLines, fc.constantFrom("", "alike", "nothing", "rank:1"), (lines, wanted) => {
      const reel = reelOf(lines, wanted);
      const on: Ref[] = [];
      for (let ref = firstRef(reel); ref !== null; ref = after(reel, ref)) on.push(ref);
      const back: Ref[] = [];
      for (let ref = lastRef(reel); ref !== null; ref = before(reel, ref)) back.unshift(ref);
      assert.deepEqual(on, back);
      for (const [k, ref] of on.entries()) {
        assert.equal(countAfter(reel, ref), on.length - 1 - k);
        assert.deepEqual(nearest(reel, ref.block, rowAt(reel, ref)?.place ?? 0), ref);
        assert.deepEqual(
          seek(reel, ref, 1, () => true),
          on[k + 1] ?? null,
        );
      }
    }),
  );
});

test("a window is full when there is enough, has the chosen row, and does not move when it need not", () => {
  const heights = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 80 });
  fc.assert(
    fc.property(heights, fc.integer({ min: 3, max: 12 }), fc.array(fc.nat(79), { minLength: 1, maxLength: 20 }), (sizes, height, choices) => {
      const lines = sizes.map((size, k) => lineOf("a", 0, k, `${size} ${k}`));
      const reel = reelOf(lines, "");
      const heightOf = (row: Row): number => Number(row.line.text[0]);
      const total = sizes.reduce((sum, size) => sum + size, 0);
      const refs: Ref[] = [];
      for (let ref = firstRef(reel); ref !== null; ref = after(reel, ref)) refs.push(ref);
      let top: Ref | null = null;
      for (const choice of choices) {
        const chosen = refs[choice % refs.length] ?? null;
        const seen = windowOf(reel, top, chosen, height, heightOf);
        const used = seen.reduce((sum, { row }) => sum + heightOf(row), 0);
        assert.ok(used <= height);
        assert.ok(
          seen.some(({ ref }) => ref.block === chosen?.block && ref.index === chosen.index),
          "the chosen row is seen",
        );
        assert.ok(used > height - 3 || used === total, `${used} of ${height} are used`);
        const again = windowOf(reel, seen[0]?.ref ?? null, chosen, height, heightOf);
        assert.deepEqual(again, seen, "it stands still");
        top = seen[0]?.ref ?? null;
      }
      const last = windowOf(reel, top, null, height, heightOf).at(-1);
      assert.deepEqual(last?.ref, refs.at(-1), "following shows the end");
    }),
  );
});

test("wrapped text is all there, and fits", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 200 }), fc.integer({ min: 2, max: 50 }), (text, columns) => {
      const pieces = wrapText(text, columns, 1000, "…");
      for (const piece of pieces) assert.ok(widthOf(piece) <= columns);
      assert.equal(pieces.join("").replaceAll(" ", ""), text.replaceAll(" ", ""));
      assert.ok(wrapText(text, columns, 2, "…").length <= 2);
      const head = headOf(text, columns);
      assert.ok(text.startsWith(head));
      assert.ok(text.endsWith(fromColumn(text, columns)));
    }),
  );
});

test("a book holds the last lines, however many and however long", () => {
  const book = createLogBook();
  for (let k = 0; k < 200_000; k += 1) book.push(lineOf("a", k % 7, k, `line ${k}`));
  assert.deepEqual(
    book.tail(3).map(({ text }) => text),
    ["line 199997", "line 199998", "line 199999"],
  );
  assert.equal(book.tail(10_000).length, 10_000);
  assert.equal(book.lastOf(199_999 % 7)?.text, "line 199999");
  let held = 0;
  for (let block = book.firstBlock(); block < book.endBlock(); block += 1) held += book.block(block).length;
  assert.ok(held >= 50_000 && held <= 80_000, `${held} are held`);
  const long = "x".repeat(64 * 1024);
  for (let k = 0; k < 2000; k += 1) book.push(lineOf("a", 0, k, `${k}${long}`));
  let chars = 0;
  for (let block = book.firstBlock(); block < book.endBlock(); block += 1) for (const { text } of book.block(block)) chars += text.length;
  assert.ok(chars <= 36 * 2 ** 20, `${chars} characters are held`);
});

test("ranks are named as ranges", () => {
  assert.equal(rankNames([3, 0, 1, 2, 8]), "r0-3,8");
  assert.equal(rankNames([5]), "r5");
});
