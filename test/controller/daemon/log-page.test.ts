/** Pages of stored lines: page after page, either way and with any count, gives each line once, in one order. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { comparePlaces } from "../../../cluster/log-place.ts";
import type { LogLine, LogPage, LogPlace } from "../../../cluster/viewer.ts";
import { type PageQuery, readPage } from "../../../controller/daemon/log-page.ts";
import { openLogView } from "../../../controller/daemon/log-query.ts";
import { openLogStore } from "../../../controller/daemon/log-store.ts";
import { openStamps } from "../../../controller/daemon/stamps.ts";

const WANT = { hosts: null, ranks: null, streams: ["out", "err", "nccl", "launcher"], since: null, last: null, follow: false, attempt: 1 } as const;

async function withDir(body: (dir: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "pages-"));
  try {
    await body(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

const page = (dir: string, asked: PageQuery["page"], more: Partial<PageQuery> = {}, isOver = true): Promise<LogPage> =>
  readPage(dir, { ...WANT, ...more, page: asked }, isOver);

async function all(dir: string, way: "before" | "after", count: number, start: LogPlace | null = null): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  let place = start;
  for (let k = 0; k < 10_000; k += 1) {
    const got = await page(dir, way === "before" ? { count, before: place } : { count, after: place });
    assert.ok(got.lines.length <= count);
    if (way === "before") lines.unshift(...got.lines);
    else lines.push(...got.lines);
    if (way === "before" ? got.isFirst : got.isLast) return lines;
    const next = way === "before" ? got.from : got.to;
    assert.ok(next !== null, "a page that is not the last has lines");
    if (place !== null) assert.ok(way === "before" ? comparePlaces(next, place) < 0 : comparePlaces(next, place) > 0, "it gets on");
    place = next;
  }
  assert.fail("it never ends");
}

const piece = fc.record({
  rank: fc.nat(1),
  kind: fc.constantFrom("out", "err"),
  host: fc.constantFrom("a", "b"),
  ms: fc.constantFrom(0, 1, 300, 1000, 2500),
  gap: fc.boolean(),
  text: fc.array(fc.constantFrom("x", "long text ", "\n", "\n", "é", "\r")).map((parts) => parts.join("")),
});

test("paged back, paged on and read at once are the same lines; each stream is in its order", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 160 }), fc.integer({ min: 1, max: 25 }), async (pieces, count) => {
      await withDir(async (dir) => {
        const store = openLogStore(dir);
        let at = 1_000_000;
        for (const { rank, kind, host, ms, gap, text } of pieces) {
          at += ms;
          const stream = `a1/rank${rank}.${kind}`;
          const size = store.size(host, stream);
          if (gap) store.gap(host, stream, size, size + 10, "quota", at);
          else store.write(host, stream, size, Buffer.from(text), at);
        }
        store.close();
        const plain: LogLine[] = [];
        for await (const line of openLogView(dir, WANT, 1, false).backlog()) plain.push(line);
        const back = await all(dir, "before", count);
        assert.deepEqual(await all(dir, "after", count), back);
        const of = (lines: readonly LogLine[], key: string): unknown[] =>
          lines.filter(({ host, rank, stream }) => `${host} ${rank} ${stream}` === key).map(({ text, gap }) => gap ?? text);
        for (const host of ["a", "b"])
          for (const rank of [0, 1])
            for (const kind of ["out", "err"]) assert.deepEqual(of(back, `${host} ${rank} ${kind}`), of(plain, `${host} ${rank} ${kind}`));
        assert.equal(back.length, plain.length);
        for (const [k, line] of back.entries()) assert.ok(k === 0 || (back[k - 1]?.at ?? 0) <= line.at, "times do not fall");
      });
    }),
    { numRuns: 120 },
  );
});

test("a time is a place: what came before it, and what came from it on", async () => {
  await withDir(async (dir) => {
    const store = openLogStore(dir);
    for (let k = 0; k < 100; k += 1) store.write("a", "a1/rank0.out", store.size("a", "a1/rank0.out"), Buffer.from(`line ${k}\n`), 1_000_000 + k * 1000);
    store.close();
    const place = { at: 1_050_000, host: "", stream: "", to: 0 };
    const texts = ({ lines }: LogPage): string[] => lines.map(({ text }) => text);
    assert.deepEqual(texts(await page(dir, { count: 3, before: place })), ["line 47", "line 48", "line 49"]);
    assert.deepEqual(texts(await page(dir, { count: 3, after: place })), ["line 50", "line 51", "line 52"]);
    const last = await page(dir, { count: 2, before: null });
    assert.deepEqual([texts(last), last.isFirst, last.isLast], [["line 98", "line 99"], false, true]);
    assert.deepEqual(texts(await page(dir, { count: 2, after: null }, { ranks: [7] })), []);
  });
});

test("a time is found among any number of stamps, and a torn one is none", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 3000 }),
      fc.array(fc.nat({ max: 3_100_000 }), { minLength: 1, maxLength: 8 }),
      fc.boolean(),
      async (count, times, isTorn) => {
        await withDir(async (dir) => {
          const path = join(dir, "rank0.out.at");
          const lines = Array.from({ length: count }, (_, k) => `${k * 100} ${k * 1000 + 7}\n`);
          writeFileSync(path, `${lines.join("")}${isTorn ? "999999999 12" : ""}`);
          const stamps = openStamps(path);
          for (const at of times) {
            const last = Math.min(count - 1, Math.floor((at - 8) / 1000));
            assert.equal(await stamps.seek((stamp) => stamp.at < at), last < 0 ? 0 : last * 100, `${at} of ${count}`);
            if (last >= 0)
              assert.deepEqual(await stamps.at(last * 100 + 1), { at: last * 1000 + 7, until: last + 1 < count ? (last + 1) * 100 : Number.POSITIVE_INFINITY });
          }
        });
      },
    ),
    { numRuns: 60 },
  );
});

test("what has no end yet is told when the run is over, and not before", async () => {
  await withDir(async (dir) => {
    const store = openLogStore(dir);
    store.write("a", "a1/rank0.out", 0, Buffer.from("whole\nha"), 1000);
    store.close();
    assert.deepEqual(
      (await page(dir, { count: 9, before: null }, {}, false)).lines.map(({ text }) => text),
      ["whole"],
    );
    assert.deepEqual(
      (await page(dir, { count: 9, before: null }, {}, true)).lines.map(({ text }) => text),
      ["whole", "ha"],
    );
    assert.deepEqual(
      (await page(dir, { count: 9, after: null }, {}, true)).lines.map(({ text }) => text),
      ["whole", "ha"],
    );
  });
});

test("long lines make short pages: one message never carries more than a viewer takes", async () => {
  await withDir(async (dir) => {
    const store = openLogStore(dir);
    const long = `${"y".repeat(60_000)}\n`.repeat(100);
    store.write("a", "a1/rank0.out", 0, Buffer.from(long), 1000);
    store.close();
    const got = await page(dir, { count: 5000, before: null });
    assert.ok(got.lines.length > 5 && got.lines.length < 30, `${got.lines.length}`);
    assert.equal((await all(dir, "before", 5000)).length, 100);
    assert.equal((await all(dir, "after", 5000)).length, 100);
  });
});
