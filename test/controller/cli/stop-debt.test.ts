/** A stop that cannot ask a host says why and what helps, before it waits and after; asked for again it waits for the answer. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { reduce, replay } from "../../../cluster/run/reduce.ts";
import type { RunState } from "../../../cluster/run/state.ts";
import { statusLines } from "../../../cluster/view/status.ts";
import { summaryLines } from "../../../cluster/view/summary.ts";
import { ANSWER_MS, awaitDebt, deafLines } from "../../../controller/cli/stop-debt.ts";
import { lifeOf, SPEC } from "../../support/fake-controller.ts";

const HOST = SPEC.hosts[1]?.name ?? "";
const running = replay(lifeOf(SPEC, "running"));
const deaf = reduce(running, { at: 2, type: "host-unseen", host: HOST, why: `${HOST} has no space left: no space left at /home`, hint: "free space there" });
const owing = [
  { at: 8, type: "stop-requested", by: "t", why: "", graceMs: 0 } as const,
  { at: 8, type: "host-ended", host: SPEC.hosts[0]?.name ?? "", attempt: 1, receipt: emptied() } as const,
  { at: 9, type: "timer", key: "stop" } as const,
  { at: 99, type: "timer", key: "drain" } as const,
].reduce<RunState>(reduce, deaf);

function emptied() {
  return { signalled: 1, exited: 1, killed: 0, left: 0, leftPids: [], proof: ["pids" as const], gpuMemoryMiB: null };
}

test("the reason, once with the host's name, and its cure stand before the wait", () => {
  assert.deepEqual(deafLines(running, 30_000), [], "all answer: nothing to say");
  const [why, cure, wait] = deafLines(deaf, 30_000);
  assert.equal(why, `${HOST}: cannot be asked now: has no space left: no space left at /home`);
  assert.equal(cure, "  try: free space there");
  assert.match(wait ?? "", /waited for, 50 s at most/);
});

test("the end of the stop says the same of a host that owes its answer", () => {
  const said = summaryLines(owing).join("\n");
  assert.match(said, new RegExp(`^${HOST}: left alive unknown: it could not be asked \\(has no space left`, "m"));
  assert.match(said, new RegExp(`try: ${HOST}: free space there; then: nexadist stop ${SPEC.run}`));
  assert.doesNotMatch(said, new RegExp(`${HOST}: ${HOST}`));
});

test("what to do about the end of a run names its file", () => {
  const hint = "nexadist agent status --host a";
  const problem = { code: "LINK_LOST", message: "gone", hint, exit: 4 } as const;
  const filed = reduce(replay(lifeOf({ ...SPEC, file: "/x/c.yaml" }, "running")), { at: 2, type: "host-unseen", host: HOST, why: "gone", hint });
  assert.equal(deafLines(filed, 1)[1], "  try: nexadist agent status -c /x/c.yaml --host a");
  const failed = { ...replay(lifeOf({ ...SPEC, file: "/x/c.yaml" }, "failed")), failure: { at: 1, host: null, rank: null, text: "t", exit: 4, problem } };
  for (const said of [summaryLines(failed), statusLines(failed, 9)])
    assert.ok(said.some((line) => line.endsWith("try: nexadist agent status -c /x/c.yaml --host a")));
});

test("a debt is waited for until it is paid, or for as long as an answer can take", async () => {
  const paid = reduce(owing, { at: 120, type: "host-ended", host: HOST, attempt: 1, receipt: emptied() });
  let asked = 0;
  let now = 0;
  const wait = async (ms: number): Promise<void> => {
    now += ms;
  };
  const read = async (): Promise<RunState> => (++asked < 3 ? owing : paid);
  assert.equal((await awaitDebt(read, wait, () => now)).hosts[HOST]?.receipt, paid.hosts[HOST]?.receipt);
  assert.equal(asked, 3);
  now = 0;
  const never = await awaitDebt(
    async () => owing,
    wait,
    () => now,
  );
  assert.equal(never.hosts[HOST]?.receipt, "unknown");
  assert.ok(now >= ANSWER_MS && now < 2 * ANSWER_MS);
});
