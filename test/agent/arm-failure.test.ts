/** A shim that cannot arm: whose port it is, in words and with the command that frees it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Agent } from "../../agent/agent-state.ts";
import { armFailure, readArmFailed } from "../../agent/arm-failure.ts";
import type { NexaError } from "../../cluster/errors.ts";

const agent = { runs: new Map([["train_1", { record: { spec: { name: "big" } } }]]) } as unknown as Agent;
const of = (code: string, text: string): NexaError => armFailure(agent, 1, code, text) as NexaError;
const held = (run: string): string => `port 29500 is held by another nexadist attempt here (01acf2e1/${run}/1/gpu-a pid 30248)`;

test("a port of a run of ours names that run and how to stop it; a stranger's is told as the shim told it", () => {
  const ours = of("PORT_BUSY", held("train_1"));
  assert.deepEqual([ours.code, ours.message], ["PORT_BUSY", "port 29500 is used by your run big (train_1)"]);
  assert.match(ours.hint, /^nexadist stop train_1, or .* drop `rdzv`/);
  assert.equal(of("PORT_BUSY", held("train_2")).message, "port 29500 is used by your run train_2");
  const stranger = of("PORT_BUSY", "port 29500 is in use by nc (pid 8, user ann)");
  assert.deepEqual([stranger.message, /^end what holds the port/.test(stranger.hint)], ["port 29500 is in use by nc (pid 8, user ann)", true]);
  assert.equal(of("OTHER", "no room").code, "ARM_FAILED");
});

test("what a shim said last", () => {
  assert.deepEqual(readArmFailed(`noise\n${JSON.stringify({ type: "arm-failed", code: "PORT_BUSY", text: "x", port: 1 })}\n`), {
    code: "PORT_BUSY",
    text: "x",
  });
  for (const out of ["", "null", "Traceback", JSON.stringify({ type: "armed" })]) assert.equal(readArmFailed(out), null);
});
