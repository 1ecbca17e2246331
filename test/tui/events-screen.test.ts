/** The screen of events: attempts as sections, the root cause on top, enter tells why and what to do. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunEvent } from "../../cluster/run/events.ts";
import type { ActionId } from "../../tui/keys.ts";
import { textOf } from "../../tui/line.ts";
import type { Model } from "../../tui/model.ts";
import type { Wish } from "../../tui/screen.ts";
import { createEventsScreen } from "../../tui/screens/events.ts";
import { checkGolden, checkScreen, drawn, viewOf } from "./support/golden.ts";
import { eventsUpTo, failed, healthy, lostHost, modelOf, NOON, recovering, slowGpu, specOf } from "./support/stories.ts";

process.env.TZ = "UTC";
const VIEW = viewOf(80, 24);

function play(model: Model, actions: readonly ActionId[], view = VIEW): { readonly text: string; readonly last: Wish | null } {
  const screen = createEventsScreen();
  screen.draw(model, view);
  let last: Wish | null = null;
  for (const action of actions) last = screen.act(action, model, view);
  return { text: drawn(screen, model, view), last };
}
const shown = (wish: Wish | null, model: Model): string => {
  assert.ok(wish?.do === "overlay", JSON.stringify(wish));
  return wish.lines(model, VIEW).map(textOf).join("\n");
};

test("golden screens", () => {
  checkScreen("events-recovering", createEventsScreen, recovering());
  checkScreen("events-failed", createEventsScreen, failed());
  checkScreen("events-lost-host", createEventsScreen, lostHost());
  checkGolden("events-ascii-80x24", play(recovering(), ["first", "time"], viewOf(80, 24, true)).text);
});

test("the root cause is on top, and attempts are sections", () => {
  const lines = play(recovering(), []).text.split("\n");
  assert.match(lines[0] ?? "", /attempt 1 ended: rank 11 on node-b ran out of GPU memory {2}CUDA_OOM/);
  assert.equal(lines.filter((line) => line.includes("── attempt 1: 32 ranks on node-a")).length, 1);
});

test("n goes to what went wrong; enter says why it matters, what shows it and what mends it", () => {
  const model = recovering();
  const { last } = play(model, ["first", "next", "next", "open"]);
  const text = shown(last, model);
  for (const part of ["node-b, rank 11", "out of GPU memory", "why", "what to do", "micro-batches", "Tried to allocate 2.00 GiB", "nexadist explain CUDA_OOM"])
    assert.ok(text.includes(part), part);
  checkGolden("finding-80x24", `${text}\n`);
});

test("it follows until somebody looks back, and G follows again", () => {
  const spec = specOf(4);
  const events = eventsUpTo(spec, "running");
  const more: RunEvent[] = Array.from({ length: 40 }, (_, k) => ({ at: NOON + k, type: "controller-woke", sleptMs: 1000 * k }));
  const [early, late] = [modelOf({ spec, events, now: NOON }), modelOf({ spec, events: [...events, ...more], now: NOON })];
  const screen = createEventsScreen();
  screen.draw(early, VIEW);
  assert.match(drawn(screen, late, VIEW), />.*stood still for 39 s/);
  screen.act("first", late, VIEW);
  const looking = drawn(screen, late, VIEW);
  assert.ok(looking.includes("connecting to 4 hosts") && looking.includes("below") && !looking.includes("39 s"));
  screen.act("last", late, VIEW);
  assert.match(drawn(screen, late, VIEW), /following/);
});

test("a filter keeps what fits, with ! the others; what is no expression is refused", () => {
  const model = recovering();
  const screen = createEventsScreen();
  const wish = screen.act("filter", model, VIEW);
  assert.ok(wish?.do === "type");
  assert.notEqual(wish.check("("), null);
  wish.next("running");
  const text = drawn(screen, model, VIEW);
  assert.ok(text.includes("==> running") && !text.includes("launching"));
  const again = screen.act("filter", model, VIEW);
  if (again?.do === "type") again.next("!running");
  assert.ok(!drawn(screen, model, VIEW).includes("==> running"));
});

test("times: local, UTC, since the start, none", () => {
  assert.match(play(healthy(), ["time"]).text, /12:17:42Z/);
  assert.match(play(healthy(), ["time", "time"]).text, /\+0:00:00/);
  assert.ok(!/\d:\d\d/.test(play(healthy(), ["time", "time", "time"]).text));
});

test("a finding opens as one; an event without a cause says what is known of it", () => {
  const slow = slowGpu();
  assert.match(shown(play(slow, ["open"]).last, slow), /one rank is slower than the others/);
  const calm = healthy();
  assert.match(shown(play(calm, ["open"]).last, calm), /event \d+, /);
});

test("without a run it says so", () => {
  assert.match(play({ ...healthy(), run: null }, ["up", "open"]).text, /No run is watched/);
});
