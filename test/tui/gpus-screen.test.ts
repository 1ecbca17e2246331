/** The GPU screen: who differs is marked, who is silent has no numbers, and what is somebody else's is told as that. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Sample } from "../../cluster/telemetry/sample.ts";
import type { ActionId } from "../../tui/keys.ts";
import { textOf } from "../../tui/line.ts";
import type { Model } from "../../tui/model.ts";
import { createGpusScreen } from "../../tui/screens/gpus.ts";
import { checkGolden, checkScreen, drawn, viewOf } from "./support/golden.ts";
import { comingUp, eventsUpTo, many, modelOf, NOON, sampleOf, silentHost, slowGpu, specOf } from "./support/stories.ts";

const VIEW = viewOf(80, 24);
function after(model: Model, actions: readonly ActionId[], view = VIEW): string {
  const screen = createGpusScreen();
  screen.draw(model, view);
  for (const action of actions) screen.act(action, model, view);
  return drawn(screen, model, view);
}
const rowOf = (text: string, host: string): string => text.split("\n").find((line) => line.slice(2).startsWith(host)) ?? "";

test("golden screens", () => {
  checkScreen("gpus-slow", createGpusScreen, slowGpu());
  checkScreen("gpus-many", createGpusScreen, many());
  checkScreen("gpus-coming-up", createGpusScreen, comingUp());
  checkGolden("gpus-chosen-80x24", after(slowGpu(), ["down", "right", "right", "right"]));
  checkGolden("gpus-ascii-80x24", after(slowGpu(), ["down"], viewOf(80, 24, true)));
});

test("the one that differs from its peers is marked, and all that is odd about it is told", () => {
  const text = after(slowGpu(), ["down", "right", "right", "right"]);
  assert.match(rowOf(text, "node-b"), />12!.*3: little use/);
  assert.ok(!rowOf(text, "node-a").includes("!"));
  assert.match(text, /GPU 3 of node-b .* r11 .*little use, low power/);
  assert.match(text, /!345 of 1980 MHz +peers 1755/);
});

test("worst first: silent hosts and odd ones lead, and the first is chosen", () => {
  const screen = createGpusScreen();
  screen.draw(many(), VIEW);
  screen.act("sort", many(), VIEW);
  const lines = drawn(screen, many(), VIEW).split("\n");
  assert.match(lines[2] ?? "", /gpu-41/);
  assert.match(lines[3] ?? "", /gpu-02/);
  assert.match(lines.find((line) => line.startsWith(">")) ?? "", /gpu-41/);
});

test("a silent host has no numbers, only since when", () => {
  const row = rowOf(after(silentHost(), []), "node-d");
  assert.match(row, /silent for 12 s/);
  assert.ok(!/9[78]/.test(row.replace("24-31", "")));
});

test("the metric changes what is compared; each is named", () => {
  const text = after(slowGpu(), ["metric", "metric"]);
  assert.match(text.split("\n")[0] ?? "", /\[power W\]/);
  assert.match(rowOf(text, "node-b"), /180!/);
});

test("processes of others are told as that, with all that is known of them", () => {
  const spec = specOf(1);
  const sample = (name: string, k: number, seconds: number): Sample => {
    const own = sampleOf(name, k, seconds);
    const uuid = Object.keys(own.gpus)[0] ?? "";
    return { ...own, processes: { ...own.processes, x: { gpu: uuid, pid: 900, user: "bob", name: "jupyter\u001b[2J", memoryMiB: 1024, owner: "foreign" } } };
  };
  const text = after(modelOf({ spec, events: eventsUpTo(spec, "running"), now: NOON, sample }), []);
  assert.match(rowOf(text, "node-a"), />98\+ .*0: not ours too/);
  assert.match(text, /NOT OURS {2}PID 900 {2}bob {2}1\.0 GiB {2}jupyter␛\[2J/);
});

test("nothing is told without a run, and why there is no number while it comes up", () => {
  assert.match(after({ ...slowGpu(), run: null }, []), /No run is watched/);
  assert.match(rowOf(after(comingUp(), []), "node-c"), /uploading node, 12\.4 of 45\.0 MB/);
});

test("enter tells all of the host, with what to type", () => {
  const model = slowGpu();
  const screen = createGpusScreen();
  screen.draw(model, VIEW);
  screen.act("down", model, VIEW);
  const wish = screen.act("open", model, VIEW);
  assert.ok(wish?.do === "overlay");
  const text = wish.lines(model, VIEW).map(textOf).join("\n");
  for (const part of ["ranks 8-15", "torch 2.9.0", "ib0 up", "STRAGGLER", "ssh node-b", "nexadist diag"]) assert.ok(text.includes(part), part);
  checkGolden("host-detail-80x24", `${text}\n`);
});

test("asked for a rank it shows the GPU that the rank is on", () => {
  const model = slowGpu();
  const screen = createGpusScreen();
  screen.show?.({ rank: 11 }, model);
  assert.match(drawn(screen, model, VIEW), /GPU 3 of node-b/);
});
