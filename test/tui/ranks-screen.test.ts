/** The screen of ranks: the slow one is found by a key, what is not known is not called running, and an earlier attempt is told as that. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { HostLook, RankLook } from "../../cluster/hang/look.ts";
import type { RunEvent } from "../../cluster/run/events.ts";
import type { TwoLooks } from "../../cluster/viewer.ts";
import type { ActionId } from "../../tui/keys.ts";
import { textOf } from "../../tui/line.ts";
import type { Model } from "../../tui/model.ts";
import type { Wish } from "../../tui/screen.ts";
import { createRanksScreen } from "../../tui/screens/ranks.ts";
import { checkGolden, checkScreen, drawn, viewOf } from "./support/golden.ts";
import { comingUp, failed, healthy, lineOf, many, modelOf, NOON, recovering, silentHost, uneven } from "./support/stories.ts";

process.env.TZ = "UTC";
const VIEW = viewOf(80, 24);

function play(model: Model, actions: readonly ActionId[], view = VIEW): { readonly text: string; readonly last: Wish | null } {
  const screen = createRanksScreen();
  screen.draw(model, view);
  let last: Wish | null = null;
  for (const action of actions) last = screen.act(action, model, view);
  return { text: drawn(screen, model, view), last };
}
const row = (text: string, at: number): string => text.split("\n")[2 + at] ?? "";

test("golden screens", () => {
  checkScreen("ranks-uneven", createRanksScreen, uneven());
  checkScreen("ranks-recovering", createRanksScreen, recovering());
  checkScreen("ranks-many", createRanksScreen, many());
  checkGolden("ranks-slowest-80x24", play(uneven(), ["sort"]).text);
  checkGolden("ranks-ascii-80x24", play(uneven(), ["mark", "down", "mark"], viewOf(80, 24, true)).text);
});

test("sorted by deviation the slow rank is first, marked, and said why", () => {
  const { text } = play(uneven(), ["sort", "first"]);
  assert.match(row(text, 0), /^> r11! +node-b .*running +18419 .*\+50%!/);
  assert.match(text.split("\n")[0] ?? "", /32 ranks, 32 running, work 408 ms median, slowest r11 \+50%/);
  assert.match(play(uneven(), ["sort", "first"]).text, /found +GPU 3 of node-b works at 12 %/);
});

test("of ranks on a silent host it is not known that they run", () => {
  const { text } = play(silentHost(), ["last"]);
  assert.match(text, /r31 .*unknown, no word from its host/);
  assert.ok(!text.split("\n").some((line) => /r3[01] .*running/.test(line)));
});

test("marked ranks are read beside each other, on top", () => {
  const { text } = play(uneven(), ["down", "down", "mark", "down", "mark"]);
  assert.deepEqual(
    [0, 1, 2].map((at) => row(text, at).slice(0, 5)),
    [" *r2 ", " *r4 ", "  r0 "],
  );
});

test("p goes back attempt by attempt: how each rank ended, and why the attempt did", () => {
  const model = again();
  const { text } = play(model, ["attempt"]);
  assert.match(text.split("\n")[0] ?? "", /attempt 1 of 2 ended .* rank 11 on node-b ran out of GPU mem/);
  assert.match(text, /r11! .*exited with code 1/);
  assert.ok(!text.includes("running"));
  assert.match(play(model, ["attempt", "attempt"]).text, /32 ranks/);
  assert.deepEqual(play(healthy(), ["attempt"]).last, { do: "say", text: "there was no attempt before this one" });
});

function again(): Model {
  const base = recovering().run;
  assert.ok(base !== null);
  const { spec } = base.state;
  const begun: RunEvent = {
    ...{ at: NOON + 12_000, type: "attempt-begun", attempt: 2, rdzvId: "r2", world: 32, members: spec.hosts.map(({ name }) => name) },
    ...{ checkpoint: null, nproc: [8, 8, 8, 8] },
  };
  const due: RunEvent = { at: NOON + 11_000, type: "timer", key: "backoff" };
  return modelOf({ spec, events: [...base.events.map(({ event }) => event), due, begun], now: NOON + 13_000 });
}

test("local ranks of an attempt that is over are in the order of its ranks, whoever started first", () => {
  const base = again();
  const run = base.run ?? assert.fail();
  const model = { ...base, run: { ...run, events: [...run.events].reverse() } };
  assert.match(play(model, ["attempt"], viewOf(120, 40)).text, /r2 +node-a +2 /);
});

test("the last step stays known when the line after it tells none", () => {
  const model = uneven();
  const screen = createRanksScreen();
  screen.draw(model, VIEW);
  model.run?.log.push(lineOf("node-a", 0, NOON, "saving"));
  assert.match(row(drawn(screen, model, VIEW), 0), /^> r0 .* 18419 .*saving/);
});

test("ranks that belong to the attempt and are not started wait; before any attempt it says so", () => {
  assert.match(play(again(), []).text, /r0 +node-a .*waits to start/);
  assert.match(play(comingUp(), ["down", "open"]).text, /No rank has been started yet/);
});

test("h asks for every rank's stack and tells who waits for whom, in words of the command", () => {
  const wish = play(uneven(), ["hang"]).last;
  assert.ok(wish?.do === "ask-and-show");
  assert.deepEqual(wish.ask, { ask: "hang", run: uneven().run?.id });
  const shown = wish.show(LOOKS);
  assert.ok(shown.do === "overlay");
  const text = shown.lines(uneven(), VIEW).map(textOf).join("\n");
  assert.match(text, /rank 1 on node-b is in load\.py:9 \(load\)/);
  assert.match(text, /nothing moved between two looks/);
  assert.ok(text.includes("load  /home/ann/load.py:9"));
  assert.deepEqual(play(failed(), ["hang"]).last, { do: "say", text: `${failed().run?.id} is over: no rank of it is alive`, isBad: true });
});

const frames = { wait: [{ file: "/v/site-packages/torch/distributed/distributed_c10d.py", line: 3, fn: "all_reduce" }, { file: "/home/ann/train.py", line: 120, fn: "step" }], load: [{ file: "/home/ann/load.py", line: 9, fn: "load" }] }; // biome-ignore format: a table
const rankAt = (rank: number, host: string, own: HostLook["ranks"][number]["others"][number]["threads"][number]["frames"]): RankLook & { host: string } => ({
  ...{ rank, host, others: [], quietMs: 90_000, collectives: [] },
  main: {
    ...{ pid: 4000 + rank, command: "python train.py", state: "S", wchan: "", cpus: 0, switches: 5, source: "py-spy", why: "" },
    threads: [{ isMain: true, name: "MainThread", frames: own }],
  },
});
const look = (at: number): TwoLooks["first"] => ({
  ...{ at, until: at + 1000, ras: [], ways: [], silent: [] },
  ranks: [rankAt(0, "node-a", frames.wait), rankAt(1, "node-b", frames.load)],
});
const LOOKS: TwoLooks = { attempt: 1, first: look(NOON), second: look(NOON + 5000) };

test("a filter, enter for the rank's log, and a rank that is asked for", () => {
  const model = uneven();
  const screen = createRanksScreen();
  const wish = screen.act("filter", model, VIEW);
  if (wish?.do === "type") wish.next("node-c");
  assert.match(row(drawn(screen, model, VIEW), 0), /r16 /);
  assert.deepEqual(screen.act("open", model, VIEW), { do: "open", screen: "logs", rank: 16 });
  screen.show?.({ rank: 30 }, model);
  assert.match(drawn(screen, model, VIEW), /> {2}?r30|> r30/);
});
