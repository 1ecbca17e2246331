/**
 * The Logs screen over 10^4, 10^6 and 10^7 lines: time to take a line, to draw a frame while lines come, to draw one pinned far up with a filter,
 * to set a filter, and the memory held. Judged by ratio: a frame over ten million lines costs what one over ten thousand does.
 * Run: node --expose-gc scripts/bench/tui-logs.ts [lines …]
 */

import { logStory } from "../../test/tui/support/log-stories.ts";
import { lineOf, NOON } from "../../test/tui/support/stories.ts";
import { createLogsScreen } from "../../tui/screens/logs.ts";

const VIEW = { columns: 200, rows: 46, isAscii: false };
const FRAMES = 200;
/** What comes between two frames at 5,000 lines a second. */
const A_FRAME = 500;
const HOSTS = ["node-a", "node-b", "node-c", "node-d"];

const asked = process.argv.slice(2).map(Number);
const sizes = asked.length > 0 ? asked : [1e4, 1e6, 1e7];
const medianOf = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
const mib = (): number => {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 2 ** 20;
};

const text = (k: number): string =>
  k % 1000 === 0
    ? `RuntimeError: line ${k}`
    : k % 10 < 4
      ? `loading shard ${Math.floor(k / 32)} of the data`
      : `step=${k} loss=2.${k % 997} lr=2.9e-4 tok/s=41200`;

function measure(lines: number): { readonly frame: number; readonly pinned: number; readonly report: string } {
  const model = logStory();
  const log = model.run?.log ?? process.exit(70);
  const screen = createLogsScreen();
  let k = 0;
  const push = (count: number): void => {
    for (const end = k + count; k < end; k += 1) {
      const rank = k % 32;
      log.push(lineOf(HOSTS[rank >> 3] ?? "", rank, NOON + k / 5, text(k)));
    }
  };
  const frames = (): number => {
    const took: number[] = [];
    for (let frame = 0; frame < FRAMES; frame += 1) {
      push(A_FRAME);
      const begun = performance.now();
      screen.draw(model, VIEW);
      took.push(performance.now() - begun);
    }
    return medianOf(took);
  };
  const filter = (wanted: string): number => {
    const wish = screen.act("filter", model, VIEW);
    const begun = performance.now();
    if (wish?.do === "type") wish.next(wanted);
    screen.draw(model, VIEW);
    return performance.now() - begun;
  };
  const before = mib();
  const begun = performance.now();
  push(lines);
  const taken = performance.now() - begun;
  const following = frames();
  for (let page = 0; page < 100; page += 1) screen.act("page-up", model, VIEW);
  const pinned = frames();
  const filtered = filter("runtimeerror rank:0-15");
  const narrow = frames();
  const none = filter("nowhere to be found");
  const held = mib() - before;
  const report = [
    `${lines.toLocaleString("en").padStart(10)} lines`,
    `take ${((taken / lines) * 1e6).toFixed(0)} ns a line`,
    `frame ${following.toFixed(2)} ms`,
    `pinned ${pinned.toFixed(2)} ms`,
    `filtered ${narrow.toFixed(2)} ms`,
    `setting a filter ${filtered.toFixed(0)} ms, one that finds nothing ${none.toFixed(0)} ms`,
    `holds ${held.toFixed(0)} MiB`,
  ].join("   ");
  return { frame: following, pinned, report };
}

measure(1e4); // warms up
const results = sizes.map((lines) => {
  const result = measure(lines);
  console.log(result.report);
  return result;
});
const [first, last] = [results[0], results.at(-1)];
if (first !== undefined && last !== undefined && first !== last)
  console.log(`largest against smallest: frame x${(last.frame / first.frame).toFixed(2)}, pinned x${(last.pinned / first.pinned).toFixed(2)}`);
