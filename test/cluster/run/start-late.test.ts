/** A start that takes too long: which hosts are late, and what they may be at. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { startLate } from "../../../cluster/run/start-late.ts";
import type { RunState } from "../../../cluster/run/state.ts";
import { play } from "./play.ts";

test("the hosts that are late are named, and a setup that may be what takes so long", () => {
  const state = play({}).state();
  const b = state.hosts.b ?? assert.fail();
  const late: RunState = { ...state, phase: "preparing", hosts: { ...state.hosts, b: { ...b, stage: "connected" } } };
  const seconds = state.spec.timeouts.startMs / 1000;
  assert.equal(startLate(late), `preparing was not done on b within timeouts.start (${seconds} s)`);
  const withSetup = { ...late, spec: { ...late.spec, hosts: late.spec.hosts.map((host) => ({ ...host, setup: "sleep 600" })) } };
  assert.equal(startLate(withSetup), `preparing was not done on b (\`setup\` of the file runs there first) within timeouts.start (${seconds} s)`);
  assert.equal(startLate({ ...state, phase: "launching", ranks: {} }), `ranks 0, 1, 2 did not start within timeouts.start (${seconds} s)`);
});
