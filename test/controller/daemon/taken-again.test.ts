/** A run that went on while it was being taken over: the takeover begins again from there, and nothing that agents told is lost. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fail } from "../../../cluster/errors.ts";
import type { RunEvent } from "../../../cluster/run/events.ts";
import { recordOf } from "../../../cluster/run/record.ts";
import type { RunState } from "../../../cluster/run/state.ts";
import { keyOf } from "../../../cluster/run/takeover.ts";
import { nextAgentEvent } from "../../../controller/daemon/entries.ts";
import { readLines } from "../../../controller/daemon/journal.ts";
import { A, B, spec, stage } from "../../support/driver-stage.ts";

const taken = (state: RunState, seq: number): RunEvent & { type: "taken-over" } => {
  const record = recordOf({ ...state, takeover: null }, "old", seq);
  const { spec: own, ...kept } = JSON.parse(JSON.stringify(state)) as RunState;
  const from = { controller: "old", machine: "", epoch: 1 };
  return { at: Date.now(), type: "taken-over", spec: own, state: kept, by: "t", controller: "c", machine: "m", epoch: 2, from, base: keyOf(record) };
};

test("the newer record counts, every host is asked again from its first event, and the run ends as ever", async (t) => {
  let newer: object | null = null;
  let refusals = 0;
  const on = stage(t, (name, order) => {
    if (order.do === "read-record") return { record: newer, isLinked: false, heardMs: 1 };
    if (order.do !== "adopt" || name !== B || newer === null || refusals > 0) return undefined;
    refusals += 1;
    return Promise.reject(fail("RECORD_NEWER", { run: spec.run }));
  });
  await on.phase("running");
  const before = on.driver.state();
  newer = recordOf({ ...before, takeover: null, epoch: 1, by: "the newer one" }, "old", 9);
  on.driver.apply(taken(before, 3));
  await on.until("the newer record", () => on.driver.state().by === "the newer one" && on.driver.state().takeover?.isWon === true);
  const { takeover, phase, attempt, ranks } = on.driver.state();
  assert.deepEqual([takeover?.base, phase, attempt, refusals], [{ epoch: 1, seq: 9 }, "running", 1, 1]);
  assert.deepEqual(
    Object.values(ranks).map((rank) => rank.pid),
    Object.values(before.ranks).map((rank) => rank.pid),
  );
  assert.deepEqual([on.count("launch", A), on.count("launch", B), on.count("stop", A)], [1, 1, 0], "nothing is started or stopped by it");
  const { lines } = readLines(readFileSync(join(on.dir, "journal.jsonl")));
  const last = lines.findLastIndex((line) => line.event.type === "taken-over");
  assert.ok(
    lines.slice(last).some((line) => line.cursor?.index === 0),
    "told again from the first",
  );
  assert.equal(nextAgentEvent(lines.slice(0, last + 1), A), 0);
  for (const name of [A, B]) on.host(name).end({ code: 0, signal: null });
  await on.until("the end", on.isDone);
  assert.equal(on.driver.state().phase, "succeeded");
});

test("one that is refused by a host that another controller leads does nothing more", async (t) => {
  let isTaken = false;
  const on = stage(t, (_, order) => {
    if (order.do === "read-record")
      return { record: { run: spec.run, epoch: 2, controller: "d", seq: 1, spec: {}, state: { machine: "elsewhere" } }, isLinked: true, heardMs: 1 };
    return isTaken && order.do === "adopt" ? Promise.reject(fail("FENCED", { run: spec.run, epoch: 2, by: "d" })) : undefined;
  });
  await on.phase("running");
  isTaken = true;
  on.host(A).lose();
  on.host(A).link();
  await on.until("it to leave", on.isDone);
  const { fenced, phase } = on.driver.state();
  assert.deepEqual([fenced?.controller, fenced?.machine, fenced?.epoch, phase], ["d", "elsewhere", 2, "running"]);
  assert.deepEqual([on.count("stop", A), on.count("stop", B), on.count("forget", B)], [0, 0, 0]);
});
