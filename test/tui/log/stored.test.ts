/** Reading back in stored lines: page after page to the first byte, none missing and none twice, and only what is near is held. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { pageOf } from "../../../cluster/recording/page-of.ts";
import type { LogLine } from "../../../cluster/viewer.ts";
import { textOf } from "../../../tui/line.ts";
import type { LogPages } from "../../../tui/log/pages.ts";
import type { Model } from "../../../tui/model.ts";
import type { Screen } from "../../../tui/screen.ts";
import { createLogsScreen } from "../../../tui/screens/logs.ts";
import { viewOf } from "../support/golden.ts";
import { eventsUpTo, lineOf, modelOf, NOON, specOf } from "../support/stories.ts";

process.env.TZ = "UTC";

const VIEW = viewOf(120, 40);

/** Answers when it is told to, as a controller over a link would. */
function store(lines: readonly LogLine[]): { readonly pages: LogPages; readonly answer: () => void; readonly asked: () => number } {
  const waiting: (() => void)[] = [];
  let asked = 0;
  return {
    pages: {
      ask: (_run, want, sink) => {
        asked += 1;
        const chosen = lines.filter(({ attempt, rank }) => attempt === want.attempt && (want.ranks === null || (rank !== null && want.ranks.includes(rank))));
        const give = (): void => sink(pageOf(chosen, want.page));
        waiting.push(give);
        return () => void waiting.splice(waiting.indexOf(give), waiting.includes(give) ? 1 : 0);
      },
    },
    answer: () => {
      for (let give = waiting.shift(); give !== undefined; give = waiting.shift()) give();
    },
    asked: () => asked,
  };
}

const many = (count: number, text: (k: number) => string = (k) => `line ${k}`): LogLine[] =>
  Array.from({ length: count }, (_, k) => lineOf("node-a", k % 2, NOON - (count - k) * 10, text(k)));

const modelWith = (held: readonly LogLine[]): Model => {
  const spec = specOf(4);
  return modelOf({ spec, events: eventsUpTo(spec, "running"), now: NOON, lines: held });
};
const rowsOf = (screen: Screen, model: Model): string[] => screen.draw(model, VIEW).map((line) => textOf(line).trimEnd());
const numbers = (rows: readonly string[]): number[] => rows.flatMap((row) => /line (\d+)$/.exec(row)?.[1] ?? []).map(Number);

test("paged up from the end to the first byte, then down again: every line is seen, none twice", () => {
  const lines = many(12_000);
  const { pages, answer } = store(lines);
  const model = modelWith(lines.slice(-3000));
  const screen = createLogsScreen(pages);
  const seen = new Set<number>();
  const look = (): number[] => {
    answer();
    const shown = numbers(rowsOf(screen, model));
    for (const [k, n] of shown.entries()) assert.ok(k === 0 || n === (shown[k - 1] ?? 0) + 1, `in order: ${shown.join()}`);
    for (const n of shown) seen.add(n);
    return shown;
  };
  look();
  let first = 12_000;
  for (let k = 0; k < 1000 && first > 0; k += 1) {
    screen.act("page-up", model, VIEW);
    first = look()[0] ?? -1;
  }
  assert.equal(first, 0);
  assert.equal(seen.size, 12_000);
  seen.clear();
  look();
  for (let k = 0; k < 1000 && !rowsOf(screen, model)[0]?.includes("following"); k += 1) {
    screen.act("page-down", model, VIEW);
    look();
  }
  assert.equal(seen.size, 12_000);
  assert.ok(rowsOf(screen, model)[0]?.endsWith("following"), "at the end it follows again");
});

test("a filter that holds for few lines finds them far back, and says what it does meanwhile", () => {
  const lines = many(30_000, (k) => (k === 17 || k === 15_000 ? `needle line ${k}` : `line ${k}`));
  const { pages, answer } = store(lines);
  const model = modelWith(lines.slice(-2000));
  const screen = createLogsScreen(pages);
  rowsOf(screen, model);
  const wish = screen.act("filter", model, VIEW);
  assert.ok(wish?.do === "type");
  assert.notEqual(wish.check("("), null);
  wish.next("needle");
  assert.ok(rowsOf(screen, model)[1]?.includes("no line held here is like that"));
  screen.act("previous", model, VIEW);
  assert.ok(rowsOf(screen, model)[0]?.includes("reading"));
  answer();
  assert.deepEqual(numbers(rowsOf(screen, model)), [17, 15_000]);
  screen.act("previous", model, VIEW);
  answer();
  assert.ok(rowsOf(screen, model)[1]?.startsWith(">"));
  screen.act("back", model, VIEW);
  answer();
  const shown = numbers(rowsOf(screen, model));
  assert.ok(shown.includes(17) && shown.length > 30, "without the filter it is still there");
});

test("a filter that is taken away leaves one at the same line, however many lines came in that second", () => {
  const lines = many(90_000, (k) => (k === 40_000 ? "needle line 40000" : `line ${k}`)).map((line) => ({ ...line, at: NOON - 5000 }));
  const { pages, answer } = store(lines);
  const model = modelWith(lines.slice(-100));
  const screen = createLogsScreen(pages);
  rowsOf(screen, model);
  const wish = screen.act("filter", model, VIEW);
  assert.ok(wish?.do === "type");
  wish.next("needle");
  screen.act("first", model, VIEW);
  answer();
  assert.deepEqual(numbers(rowsOf(screen, model)), [40_000]);
  screen.act("back", model, VIEW);
  answer();
  const chosen = rowsOf(screen, model).find((row) => row.startsWith(">"));
  assert.ok(chosen?.endsWith("needle line 40000"), chosen);
});

test("the first error of the attempt is found from its beginning; esc ends a look that takes long", () => {
  const lines = many(20_000, (k) => (k === 9000 || k === 19_000 ? `RuntimeError: line ${k}` : `line ${k}`));
  const { pages, answer, asked } = store(lines);
  const model = modelWith(lines.slice(-2000));
  const screen = createLogsScreen(pages);
  rowsOf(screen, model);
  screen.act("error", model, VIEW);
  answer();
  const chosen = rowsOf(screen, model).find((row) => row.startsWith(">"));
  assert.ok(chosen?.endsWith("RuntimeError: line 9000"), chosen);
  screen.act("next", model, VIEW);
  answer();
  assert.ok(rowsOf(screen, model).some((row) => row.startsWith(">") && row.endsWith("line 19000")));
  screen.act("error", model, VIEW);
  screen.act("back", model, VIEW);
  const before = asked();
  answer();
  assert.equal(asked(), before, "nothing is asked any more");
  assert.ok(!rowsOf(screen, model)[0]?.includes("reading"));
});

test("attempts before are read one by one, and then what comes is followed again", () => {
  const lines = [...many(3000), ...many(50, (k) => `second line ${k}`).map((line) => ({ ...line, attempt: 2 }))];
  const { pages, answer } = store(lines);
  const model = modelWith(lines.slice(-50));
  const { run } = model;
  assert.ok(run !== null);
  const second: Model = { ...model, run: { ...run, state: { ...run.state, attempt: 2 } } };
  const screen = createLogsScreen(pages);
  rowsOf(screen, second);
  screen.act("attempt", second, VIEW);
  answer();
  const rows = rowsOf(screen, second);
  assert.ok(rows[0]?.includes("attempt 1 of 2"), rows[0]);
  assert.equal(numbers(rows).at(-1), 2999);
  screen.act("attempt", second, VIEW);
  assert.ok(rowsOf(screen, second)[0]?.endsWith("following"));
});

test("one rank: only its lines, and esc shows all again", () => {
  const lines = many(5000);
  const { pages, answer } = store(lines);
  const model = modelWith(lines.slice(-100));
  const screen = createLogsScreen(pages);
  screen.show?.({ rank: 1 }, model);
  assert.ok(numbers(rowsOf(screen, model)).every((n) => n % 2 === 1));
  for (let k = 0; k < 10; k += 1) {
    screen.act("page-up", model, VIEW);
    answer();
    assert.ok(numbers(rowsOf(screen, model)).every((n) => n % 2 === 1));
  }
  assert.ok((numbers(rowsOf(screen, model))[0] ?? 5000) < 4700);
  screen.act("back", model, VIEW);
  answer();
  assert.ok(numbers(rowsOf(screen, model)).some((n) => n % 2 === 0));
});

test("a controller that fails is told of, and the screen goes on", () => {
  const screen = createLogsScreen({
    ask: (_run, _want, sink) => {
      sinks.push(() => sink({ problem: "the controller is gone\u001b]0;x\u0007" }));
      return () => undefined;
    },
  });
  const sinks: (() => void)[] = [];
  const model = modelWith(many(10));
  rowsOf(screen, model);
  screen.act("first", model, VIEW);
  assert.equal(numbers(rowsOf(screen, model)).length, 10, "what was shown is shown until there is more");
  for (const sink of sinks) sink();
  const [head] = rowsOf(screen, model);
  assert.ok(head?.includes("the controller is gone") && !head.includes("\u001b"));
  screen.act("follow", model, VIEW);
  assert.equal(numbers(rowsOf(screen, model)).length, 10);
});
