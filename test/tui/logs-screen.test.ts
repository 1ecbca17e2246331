/** The Logs screen without a controller: what is held, drawn at three sizes, and moved about in. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogsScreen } from "../../tui/screens/logs.ts";
import { checkGolden, checkScreen, drawn, SIZES, viewOf } from "./support/golden.ts";
import { logStory } from "./support/log-stories.ts";

process.env.TZ = "UTC";

test("all ranks, following", () => checkScreen("logs", () => createLogsScreen(), logStory()));

test("from the first line: alike lines are one row, progress bars are at their end", () => {
  for (const [columns, rows] of SIZES) {
    const screen = createLogsScreen();
    const model = logStory();
    const view = viewOf(columns, rows);
    screen.act("first", model, view);
    const text = drawn(screen, model, view);
    checkGolden(`logs-first-${columns}x${rows}`, text);
    assert.equal(text.includes("warming up:   0%"), false);
  }
});

test("wrapped, a chosen row, and what else there is in ASCII", () => {
  const screen = createLogsScreen();
  const model = logStory();
  const view = viewOf(80, 24, true);
  screen.act("wrap", model, view);
  screen.act("time", model, view);
  for (let k = 0; k < 3; k += 1) screen.act("up", model, view);
  checkGolden("logs-wrap-80x24", drawn(screen, model, view));
});
