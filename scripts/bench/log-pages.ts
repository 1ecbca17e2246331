/**
 * Pages of stored lines, 64 streams, in small logs and in large ones: from the end, from the beginning, from the middle both ways.
 * Judged by ratio: a page of ten million lines costs what one of a hundred thousand does. Run: node scripts/bench/log-pages.ts [lines …]
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LogPlace } from "../../cluster/viewer.ts";
import { type PageQuery, readPage } from "../../controller/daemon/log-page.ts";
import { openLogStore } from "../../controller/daemon/log-store.ts";

const STREAMS = 64;
const TIMES = 15;
const BEGUN = 1_700_000_000_000;
/** Lines of a stream in a second. */
const A_SECOND = 50;
const WANT = { hosts: null, ranks: null, streams: ["out", "err", "launcher"], since: null, last: null, follow: false, attempt: 1 } as const;

const asked = process.argv.slice(2).map(Number);
const sizes = asked.length > 0 ? asked : [1e5, 1e6, 1e7];
const medianOf = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

async function measure(lines: number): Promise<number> {
  const dir = mkdtempSync(join(tmpdir(), "log-pages-"));
  try {
    const seconds = Math.ceil(lines / STREAMS / A_SECOND);
    const store = openLogStore(dir);
    for (let rank = 0; rank < STREAMS; rank += 1) {
      let size = 0;
      for (let second = 0; second < seconds; second += 1) {
        const text = Array.from({ length: A_SECOND }, (_, k) => `step=${second * A_SECOND + k} loss=2.1129 lr=2.9e-4 tok/s=41200\n`).join("");
        size += store.write(`host-${rank >> 3}`, `a1/rank${rank}.out`, size, Buffer.from(text), BEGUN + second * 1000).length;
      }
    }
    store.close();
    const middle: LogPlace = { at: BEGUN + seconds * 500, host: "", stream: "", to: 0 };
    const pages: readonly (readonly [string, PageQuery["page"]])[] = [
      ["end", { count: 1000, before: null }],
      ["beginning", { count: 1000, after: null }],
      ["before the middle", { count: 1000, before: middle }],
      ["after the middle", { count: 1000, after: middle }],
    ];
    const told: string[] = [];
    let sum = 0;
    for (const [name, page] of pages) {
      const took: number[] = [];
      for (let k = 0; k < TIMES; k += 1) {
        const begun = performance.now();
        await readPage(dir, { ...WANT, page }, true);
        took.push(performance.now() - begun);
      }
      sum += medianOf(took);
      told.push(`${name} ${medianOf(took).toFixed(0)} ms`);
    }
    console.log(`${lines.toLocaleString("en").padStart(10)} lines   a page of 1,000: ${told.join("   ")}`);
    return sum;
  } finally {
    rmSync(dir, { recursive: true });
  }
}

const sums: number[] = [];
for (const lines of sizes) sums.push(await measure(lines));
const [first, last] = [sums[0], sums.at(-1)];
if (first !== undefined && last !== undefined && sums.length > 1) console.log(`largest against smallest: x${(last / first).toFixed(2)}`);
