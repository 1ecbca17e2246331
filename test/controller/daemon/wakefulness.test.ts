/** A controller that stood still notices, tells its runs, and lets no deadline count that time. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { watchWakefulness } from "../../../controller/daemon/wakefulness.ts";
import { ask, type Ground, isAlive, openGrounds, specOf, stateOf, until } from "../../support/mortal.ts";

/** A clock that goes on while timers do not, as when a laptop sleeps. */
function clock(t: { readonly mock: typeof import("node:test").mock }): { readonly tick: (ms: number) => void; readonly sleep: (ms: number) => void } {
  let slept = 0;
  t.mock.timers.enable({ apis: ["setInterval", "Date"] });
  const { now } = Date;
  t.mock.method(Date, "now", () => now() + slept);
  return {
    tick: (ms) => {
      for (let k = 0; k < ms; k += 1000) t.mock.timers.tick(1000);
    },
    sleep: (ms) => {
      slept += ms;
    },
  };
}

test("a sleep is told once, with its length; until it is told the controller does not take itself for awake", (t) => {
  const at = clock(t);
  const told: number[] = [];
  const watch = watchWakefulness((ms) => told.push(ms));
  at.tick(5000);
  assert.ok(watch.isAwake());
  at.sleep(3_600_000);
  assert.ok(!watch.isAwake());
  assert.deepEqual(told, []);
  at.tick(1000);
  assert.ok(watch.isAwake());
  assert.deepEqual(told, [3_600_000]);
  at.tick(60_000);
  assert.deepEqual(told, [3_600_000]);
  watch.close();
});

test("a loop that is only late is not told, nor a clock that is set back", (t) => {
  const at = clock(t);
  const told: number[] = [];
  const watch = watchWakefulness((ms) => told.push(ms));
  at.sleep(9000);
  at.tick(1000);
  at.sleep(-3_600_000);
  assert.ok(watch.isAwake());
  at.tick(5000);
  assert.deepEqual(told, []);
  watch.close();
});

test("stopped for longer than a stop may last, in the middle of a stop: the hosts are still asked, and each has a receipt", async (t) => {
  const [ground] = openGrounds(t, 1) as [Ground];
  const run = `asleep_${ground.hosts[0]}`;
  const controller = await ground.startController();
  const spec = specOf(ground, run, ["sh", "-c", `trap 'sleep 12; exit 0' TERM; echo ready; k=0; while [ $k -lt 600 ]; do sleep 0.1; k=$((k+1)); done`]);
  await ask(ground, { ...spec, timeouts: { ...spec.timeouts, stopGraceMs: 30_000, startMs: 10_000 } });
  await until("its ranks", () => stateOf(ground, run).phase === "running");
  const client = await ground.talk();
  await client.ask({ ask: "stop", run, graceMs: null, by: "test", why: "enough" });
  client.close();
  await until("both hosts to stop", () => ground.journal(run).filter(({ event }) => event.type === "host-stopping").length === 2);
  assert.equal(controller.kill("SIGSTOP"), true);
  await new Promise((resolve) => setTimeout(resolve, 12_500)); // the hole itself: shorter ones are not told
  controller.kill("SIGCONT");
  await until("its end", () => stateOf(ground, run).endedAt !== null);
  const woken = ground.journal(run).flatMap(({ event }) => (event.type === "controller-woke" ? [event.sleptMs] : []));
  assert.equal(woken.length, 1);
  assert.ok((woken[0] ?? 0) > 10_000);
  const state = stateOf(ground, run);
  assert.equal(state.phase, "stopped");
  for (const host of Object.values(state.hosts))
    assert.ok(host.receipt !== null && host.receipt !== "unknown" && host.receipt.left === 0 && host.receipt.killed === 0, host.name);
  for (const { pid } of Object.values(state.ranks)) assert.ok(!isAlive(pid));
});
