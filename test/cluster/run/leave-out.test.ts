/** min_hosts covers hosts that fail while the first attempt comes up, whatever they fail at; never the one that holds the store, never fewer. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { fail, toProblem } from "../../../cluster/errors.ts";
import type { RunEvent } from "../../../cluster/run/events.ts";
import { reduce, replay } from "../../../cluster/run/reduce.ts";
import type { RunState } from "../../../cluster/run/state.ts";
import { wanted } from "../../../cluster/run/wanted.ts";
import { describeEvent } from "../../../cluster/view/event-line.ts";
import { goodRun, receipt } from "./model.ts";

/** As far as just before the first event of that type, with world and ranks of three hosts. */
function upTo(type: RunEvent["type"], minHosts: number, more: object = {}): RunState {
  const events = goodRun();
  const [first, ...rest] = events.slice(
    0,
    events.findIndex((event) => event.type === type),
  ) as [RunEvent & { type: "requested" }, ...RunEvent[]];
  const begun = rest.map((event) => (event.type === "attempt-begun" ? { ...event, world: 6, nproc: [2, 2, 2] } : event));
  return replay([{ ...first, spec: { ...first.spec, minHosts, ...more } }, ...begun]);
}
const fails = (host: string, during: "prepare" | "claim" | "arm", code: "NO_GPUS" | "GPUS_BUSY" = "NO_GPUS"): RunEvent & { type: "host-failed" } => ({
  at: 60,
  type: "host-failed",
  host,
  during,
  problem: toProblem(fail(code, { host, why: "broken", who: "another" })),
});

test("a host that cannot be prepared is left out, and the others begin", () => {
  const before = upTo("host-prepared", 2);
  const event = fails("c", "prepare");
  const state = reduce(before, event);
  assert.deepEqual([state.phase, state.members, state.failure], ["preparing", ["a", "b"], null]);
  assert.match(describeEvent(before, state, event).join("\n"), /c: could not be prepared: broken.*\n==> going on without c: min_hosts is 2/);
  const next = reduce(state, fails("b", "prepare"));
  assert.equal(next.verdict, "failed", "one is fewer than two");
});

test("one that cannot arm is left out with its ranks, and ended there when all is over", () => {
  const before = upTo("host-armed", 2);
  assert.equal(before.phase, "arming");
  const state = reduce(before, fails("b", "arm"));
  assert.deepEqual([state.members, state.nproc, state.world, state.verdict], [["a", "c"], [2, 2], 4, null]);
  assert.ok(wanted(state).some((effect) => effect.do === "stop" && effect.host === "b"));
  assert.ok(!wanted(state).some((effect) => effect.do === "arm" && effect.host === "b"));
  const ended = reduce(state, { at: 70, type: "host-ended", host: "b", attempt: 1, receipt });
  assert.deepEqual([ended.trouble, ended.phase], [null, "arming"], "its end is no failure of the attempt");
});

test("not the host of the store, not below min_hosts, and not for GPUs that others have", () => {
  for (const [state, event] of [
    [upTo("host-armed", 2), fails("a", "arm")],
    [upTo("host-armed", 2, { rdzv: { host: "c", port: 1 } }), fails("c", "arm")],
    [upTo("host-armed", 3), fails("c", "arm")],
    [upTo("host-prepared", 2), fails("c", "claim", "GPUS_BUSY")],
  ] as const) {
    const next = reduce(state, event);
    assert.deepEqual([next.verdict, next.members.length], ["failed", 3]);
  }
});

test("what diag finds only on a host that was left out keeps nobody back", () => {
  const about = (hosts: readonly string[]) => ({ id: "gpu.driver", title: "t", status: "fail" as const, hosts, observed: "", fix: "", isBlocking: true });
  const left = reduce(upTo("host-armed", 2, { preflight: true }), fails("c", "arm"));
  const armed = (hosts: readonly string[]): RunState =>
    ["a", "b"].reduce<RunState>(
      (state, host) => reduce(state, { at: 80, type: "host-armed", host, attempt: 1, ports: [1], dir: "/d", socket: "/s" }),
      reduce(left, { at: 70, type: "preflight-done", findings: [about(hosts)] }),
    );
  assert.equal(armed(["c"]).phase, "launching");
  assert.equal(armed(["b", "c"]).verdict, "failed");
});
