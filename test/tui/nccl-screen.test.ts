/** The screen of NCCL: ways, warnings by pair, what is judged; stored lines once and in order, new ones after them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogLine } from "../../cluster/viewer.ts";
import type { ActionId } from "../../tui/keys.ts";
import { textOf } from "../../tui/line.ts";
import type { Model } from "../../tui/model.ts";
import { createNcclLog } from "../../tui/nccl-log.ts";
import type { Screen } from "../../tui/screen.ts";
import { createNcclScreen } from "../../tui/screens/nccl.ts";
import { checkGolden, checkScreen, drawn, viewOf } from "./support/golden.ts";
import { ncclLines, ncclLogOf, ncclModel } from "./support/nccl-story.ts";
import { comingUp, healthy, modelOf, NOON, specOf } from "./support/stories.ts";
import { eventsUpTo } from "./support/tell.ts";

const VIEW = viewOf(80, 24);
const TALL = viewOf(120, 100);

async function screenOf(lines: readonly LogLine[], model: Model): Promise<Screen> {
  return createNcclScreen(await ncclLogOf(lines, model));
}
const textAt = async (lines: readonly LogLine[], model: Model, actions: readonly ActionId[] = [], view = TALL): Promise<string> => {
  const screen = await screenOf(lines, model);
  screen.draw(model, view);
  for (const action of actions) screen.act(action, model, view);
  return drawn(screen, model, view);
};

test("golden screens", async () => {
  const model = ncclModel();
  const log = await ncclLogOf(ncclLines("IB"), model);
  checkScreen("nccl", () => createNcclScreen(log), model);
  checkGolden("nccl-socket-80x24", await textAt(ncclLines("Socket", false), model, [], VIEW));
  checkGolden("nccl-ascii-80x24", await textAt(ncclLines("IB"), model, ["last"], viewOf(80, 24, true)));
});

test("version, network, ways between hosts; a warning names whom it is about, once for all ranks that gave it", async () => {
  const text = await textAt(ncclLines("IB"), ncclModel());
  assert.match(text.split("\n")[0] ?? "", /NCCL 2\.28\.3\+cuda12\.9, 16 ranks, network IB, 16 channels/);
  assert.match(text, /P2P\/CUMEM +7 .*node-a +0-1 1-2/);
  assert.match(text, /NET\/IB\/GDRDMA +1 .*node-a to node-b +7-8/);
  assert.match(text, /1 node-a +P2P +RDMA/);
  assert.match(text, /node-b +node-a +8-10 +Net: Connect to 100\.64\.0\.11/);
  assert.equal(text.split("\n").filter((line) => line.includes("Connection timed out")).length, 1);
});

test("it scrolls to its end and not beyond", async () => {
  const text = await textAt(ncclLines("IB"), ncclModel(), ["last", "down", "page-down"], VIEW);
  assert.match(text.trimEnd().split("\n").at(-1) ?? "", /^ +r15 +node-b/);
  assert.match(await textAt(ncclLines("IB"), ncclModel(), ["last", "first", "up"], VIEW), /── warnings/);
});

test("stored lines are asked for once, and a new line is not taken twice", async () => {
  const lines = ncclLines("IB", false);
  const spec = specOf(2);
  const model = modelOf({ spec, events: eventsUpTo(spec, "running"), now: NOON, lines });
  const { promise, resolve } = Promise.withResolvers<void>();
  let asked = 0;
  const log = createNcclLog(async () => {
    asked += 1;
    return { lines, from: null, to: null, isFirst: true, isLast: true };
  }, resolve);
  assert.ok(model.run !== null);
  assert.equal(log.told(model.run).isReading, true);
  await promise;
  const { summary } = log.told(model.run);
  assert.equal(asked, 1);
  assert.ok(
    summary.pairs.every(({ channels }) => channels === 2),
    JSON.stringify(summary.pairs),
  );
  model.run.log.push({ ...(lines[0] as LogLine), at: NOON, rank: 3, text: "x NCCL WARN it broke" });
  assert.deepEqual(log.told(model.run).summary.ranks[3]?.warnings, ["it broke"]);
  assert.deepEqual(log.told(model.run).summary.ranks[3]?.warnings, ["it broke"]);
});

test("a log that cannot be read says why, and what comes is read all the same", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const log = createNcclLog(() => Promise.reject(new Error("the disk \u001b[2Jis full")), resolve);
  const model = ncclModel();
  const screen = createNcclScreen(log);
  screen.draw(model, TALL);
  await promise;
  const text = drawn(screen, model, TALL);
  assert.match(text, /cannot be read: the disk ␛\[2Jis full/);
});

test("l asks for a level, and tells what will happen before it asks the controller", async () => {
  const model = ncclModel();
  const screen = await screenOf([], model);
  const wish = screen.act("nccl-level", model, VIEW);
  assert.ok(wish?.do === "type");
  assert.notEqual(wish.check("loud"), null);
  const next = wish.next("trace");
  assert.ok(next.do === "confirm", JSON.stringify(next));
  assert.match(next.lines.map(textOf).join(" "), /NCCL_DEBUG is TRACE/);
  const last = next.next();
  assert.ok(last.do === "ask" && last.ask.ask === "act");
  assert.deepEqual(last.ask.act, { do: "nccl-debug", level: "TRACE" });
});

test("why there is nothing to see", async () => {
  assert.match(await textAt([], ncclModel()), /No rank has written a line of NCCL[\s\S]*l sets it/);
  const cpu = specOf(2, { hosts: specOf(2).hosts.map((host) => ({ ...host, gpus: { kind: "none", slots: 8 } })) });
  assert.match(await textAt([], modelOf({ spec: cpu, events: eventsUpTo(cpu, "running"), now: NOON })), /gloo connects them/);
  const screen = createNcclScreen(
    createNcclLog(
      async () => null,
      () => undefined,
    ),
  );
  assert.match(drawn(screen, comingUp(), VIEW), /No rank has been started yet/);
  assert.match(drawn(screen, { ...healthy(), run: null }, VIEW), /No run is watched/);
});
