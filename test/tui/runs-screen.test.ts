/** The screen of runs: what is alive, what waits and for whom, what became of the others; two of them compared. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { replay } from "../../cluster/run/reduce.ts";
import { specDiff } from "../../cluster/view/spec-diff.ts";
import type { ActionId } from "../../tui/keys.ts";
import { textOf } from "../../tui/line.ts";
import type { Model } from "../../tui/model.ts";
import type { Wish } from "../../tui/screen.ts";
import { createRunsScreen } from "../../tui/screens/runs.ts";
import { checkGolden, checkScreen, drawn, viewOf } from "./support/golden.ts";
import { eventsUpTo, healthy, history, specOf } from "./support/stories.ts";

process.env.TZ = "UTC";
const VIEW = viewOf(80, 24);

function play(model: Model, actions: readonly ActionId[], view = VIEW): { readonly text: string; readonly last: Wish | null } {
  const screen = createRunsScreen();
  screen.draw(model, view);
  let last: Wish | null = null;
  for (const action of actions) last = screen.act(action, model, view);
  return { text: drawn(screen, model, view), last };
}
const rowOf = (text: string, run: string): string => text.split("\n").find((line) => line.slice(2).startsWith(run)) ?? "";

test("golden screens", () => {
  checkScreen("runs", createRunsScreen, history());
  checkGolden("runs-ascii-80x24", play(history(), ["down", "down", "mark"], viewOf(80, 24, true)).text);
});

test("a run that waits says for whom, one that failed says why, one that owes says where", () => {
  const { text } = play(history(), [], viewOf(120, 40));
  assert.match(rowOf(text, "sweep"), /waiting .*node-a: GPU 0-7 are of/);
  assert.match(rowOf(text, "llama3-8b_20251031"), /failed .*3 h 30 min .*rank 11 on node-b ran out/);
  assert.match(rowOf(text, "vit-b16_20251029"), /stopped, owes/);
  assert.match(text.split("\n")[0] ?? "", /5 runs, 1 alive, 1 waiting, 1 failed, \$\d+ in all/);
});

test("enter opens it; sorting puts the dearest first", () => {
  assert.deepEqual(play(history(), ["down", "down", "open"]).last, { do: "watch", run: "llama3-8b_20251031_090000" });
  const { last } = play(history(), ["sort", "sort", "sort", "open"]);
  assert.deepEqual(last, { do: "watch", run: "llama3-8b_20251031_090000" });
});

test("two marked runs are read from the controller and compared", () => {
  const { last } = play(history(), ["down", "mark", "mark", "compare"]);
  assert.ok(last?.do === "ask-and-show");
  assert.deepEqual(last.ask, { ask: "run", run: "llama3-8b_20251101_121742" });
  const [a, b] = [
    specOf(4),
    specOf(3, { run: "llama3-8b_20251031_090000", env: { NCCL_DEBUG: "INFO" }, job: { kind: "script", script: "train.py", args: ["--lr", "3e-4"] } }),
  ];
  const second = last.show({ state: replay(eventsUpTo(a, "running")) });
  assert.ok(second.do === "ask-and-show");
  assert.deepEqual(second.ask, { ask: "run", run: "llama3-8b_20251031_090000" });
  const shown = second.show({ state: replay(eventsUpTo(b, "running")) });
  assert.ok(shown.do === "overlay");
  const narrow = shown.lines(history(), VIEW).map(textOf).join("\n");
  const wide = shown.lines(history(), viewOf(200, 50)).map(textOf).join("\n");
  for (const text of [narrow, wide])
    for (const part of ["env.NCCL_DEBUG", "job.args --lr", "3e-4", "not set", "node-a, node-b, node-c"]) assert.ok(text.includes(part), part);
  assert.ok(!narrow.includes("host node-d"), "a host that one of them lacks is told once");
  checkGolden("runs-diff-80x24", `${narrow}\n`);
  checkGolden("runs-diff-200x50", `${wide}\n`);
  assert.deepEqual(play(history(), ["compare"]).last, { do: "say", text: "space marks two runs, = compares them" });
});

test("without a run it says how one is begun", () => {
  assert.match(play({ ...healthy(), run: null, runs: [] }, ["down", "open", "mark", "compare"]).text, /No run yet on this machine[\s\S]*nexadist up FILE/);
});

test("a difference is told key by key; the same is none; the run's own name is none", () => {
  const a = specOf(2, { tags: ["x"], job: { kind: "script", script: "t.py", args: ["--lr=1", "--fp16", "in", "--n", "-1"] } });
  const b = specOf(2, { run: "other", job: { kind: "script", script: "t.py", args: ["--lr", "2", "in", "--n", "-2"] } });
  assert.deepEqual(specDiff(a, { ...a, run: "other" }), []);
  assert.deepEqual(specDiff(a, b), [
    { key: "job.args --fp16", a: "in", b: null },
    { key: "job.args --lr", a: "1", b: "2" },
    { key: "job.args --n", a: "-1", b: "-2" },
    { key: "job.args 1", a: null, b: "in" },
    { key: "tags", a: "x", b: null },
  ]);
});
