/** The gate before a launch: nothing starts before its word, blockers end the run unless it was forced, and all else is only told. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunEvent } from "../../../cluster/run/events.ts";
import type { PreflightFinding } from "../../../cluster/run/preflight.ts";
import { reduce, replay } from "../../../cluster/run/reduce.ts";
import type { RunState } from "../../../cluster/run/state.ts";
import { wanted } from "../../../cluster/run/wanted.ts";
import { describeEvent } from "../../../cluster/view/event-line.ts";
import { runTable } from "../../../cluster/view/run-table.ts";
import { statusLines } from "../../../cluster/view/status.ts";
import { summarise } from "../../../cluster/view/summarise.ts";
import { summaryLines } from "../../../cluster/view/summary.ts";
import { findingsOf } from "../../../controller/daemon/preflight.ts";
import { goodRun, receipt } from "./model.ts";

const finding = (more: Partial<PreflightFinding> = {}): PreflightFinding => ({
  id: "sys.nofile",
  title: "files that a process may open",
  status: "fail",
  hosts: ["a", "b"],
  observed: "256",
  fix: "ulimit -n 65536",
  isBlocking: true,
  ...more,
});
const done = (...findings: PreflightFinding[]): RunEvent => ({ at: 50, type: "preflight-done", findings });
/** All hosts are armed, nothing is launched. */
const armed = (isForced: boolean): RunState => {
  const events = goodRun();
  const end = events.findIndex(({ type }) => type === "host-launched");
  const [first, ...rest] = events.slice(0, end) as [RunEvent & { type: "requested" }, ...RunEvent[]];
  return replay([{ ...first, spec: { ...first.spec, preflight: true, ...(isForced ? { isForced } : {}) } }, ...rest]);
};
const does = (state: RunState): string[] => [...new Set(wanted(state).map((effect) => effect.do))].sort();

test("nothing is launched before its word, and then at once", () => {
  const state = armed(false);
  assert.equal(state.phase, "arming");
  assert.deepEqual(does(state), ["link", "preflight", "timer"]);
  const next = reduce(state, done(finding({ status: "warn" }), finding({ isBlocking: false }), finding({ status: "error" })));
  assert.equal(next.phase, "launching");
  assert.deepEqual(does(next), ["launch", "link", "timer"]);
});

test("a blocker ends the run with exit 5, its cure and what was seen where; what was armed is ended", () => {
  const before = armed(false);
  const gate = done(finding(), finding({ status: "warn", id: "x" }));
  let state = reduce(before, gate);
  const told = describeEvent(before, state, gate).join("\n");
  assert.match(told, /==> stopping: diag keeps it back/);
  assert.doesNotMatch(told, /ranks have/, "there are none");
  assert.deepEqual([state.phase, state.verdict, state.failure?.exit], ["stopping", "failed", 5]);
  assert.deepEqual(does(state), ["link", "record", "stop", "timer"]);
  for (const host of ["a", "b", "c"]) {
    state = reduce(state, { at: 60, type: "host-ended", host, attempt: 1, receipt });
    state = reduce(state, { at: 60, type: "host-drained", host, attempt: 1 });
  }
  const text = summaryLines(state).join("\n");
  assert.match(
    text,
    /failed after .*: diag keeps it back \(1 finding\):\n +a, b: files that a process may open: 256 \[sys.nofile\]\n +fix:\n +ulimit -n 65536\n/,
  );
  assert.deepEqual([summarise(state).attempt, summarise(state).ranks], [0, 0], "nothing was started");
  assert.match(statusLines(state, 99)[0] ?? "", / failed {2}attempt 0 {2}0 ranks /);
  assert.match(runTable([summarise(state)], 99)[1] ?? "", /diag keeps it back \(1 finding\): a, b: files that a process may open: 256/);
  assert.match(text, /try: nexadist diag FILE shows all that was looked at; --force starts in spite of it/);
});

test("forced: it goes on, and says so for as long as it is known", () => {
  const state = reduce(armed(true), done(finding()));
  assert.equal(state.phase, "launching");
  assert.match(statusLines(state, 100).join("\n"), /started by --force in spite of a, b: files that a process may open: 256 \[sys.nofile\]/);
});

test("a second word, or one after the launch, changes nothing", () => {
  const state = reduce(armed(false), done());
  assert.equal(state.phase, "launching");
  const again = reduce(state, done(finding()));
  assert.deepEqual([again.phase, again.verdict, again.preflight], ["launching", null, { findings: [] }]);
});

test("of results: alike ones are one, what could not be looked at and access never block, secrets and passes stay out", () => {
  const found = findingsOf(
    [
      { id: "sys.nofile", host: "a", status: "fail", observed: "256 hush" },
      { id: "sys.nofile", host: "b", status: "fail", observed: "256 hush" },
      { id: "ssh.session", host: "c", status: "fail", observed: "no answer" },
      { id: "sys.shm", host: "a", status: "pass", observed: "8 GB" },
      { id: "sys.shm", host: "b", status: "skip", observed: "no word" },
      { id: "no.such", host: "b", status: "fail", observed: "?" },
    ],
    (text) => text.replaceAll("hush", "$NAME"),
  );
  assert.deepEqual(
    found.map(({ id, status, hosts, observed }) => [id, status, hosts, observed]),
    [
      ["sys.nofile", "fail", ["a", "b"], "256 $NAME"],
      ["ssh.session", "error", ["c"], "no answer"],
    ],
  );
});
