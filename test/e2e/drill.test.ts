/** A drill on real hosts: what it asks, what it refuses, what it measures; and that nothing of it is left and no other run lost anything. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Drilled } from "../../cluster/drill/report.ts";
import { NEXADIST, openSeat } from "../support/controller.ts";
import { needsRoot, startLab } from "../support/lab.ts";
import { ofRuns, processesOf } from "../support/lab-processes.ts";

const A = "100.66.164.18";
const B = "100.66.164.19";
/** Three restarts on a busy machine. */
const LIMIT_MS = 240_000;

test("a drill", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t, { hosts: 2, gpus: 0, options: { "*": { path: "train" } } });
  const seat = openSeat(t, lab);
  seat.write("c.yaml", `cluster: [{host: ${A}, slots: 1}, {host: ${B}, slots: 1}]\ndefaults: {gpus: 0}\ntimeouts: {stop_grace: 2s}\n`);
  seat.write("command.yaml", `cluster: [{host: ${A}}]\ndefaults: {gpus: 0, slots: 1}\nbackend: command\njob: {command: [sleep, "3600"]}\n`);

  await t.test("begins nothing where nobody can answer", async () => {
    const { code, err } = await seat.cli(["drill", "c.yaml"]);
    assert.equal(code, 2);
    assert.match(err, /kills, one after\s+another: the agent of a host, the controller, a rank, the launcher of a host, the shim of a host/);
    assert.match(err, /try: nexadist drill -c c\.yaml --yes/);
    assert.equal(seat.latest(), "");
  });

  await t.test("refuses while a run is alive, and leaves that alone", async () => {
    const run = await seat.up(["command.yaml"]);
    await seat.wait(run, "it runs", (_, now) => now.phase === "running");
    const { code, err } = await seat.cli(["drill", "c.yaml", "--yes"]);
    assert.equal(code, 5, err);
    assert.ok(err.includes(`${run} is alive`) && err.includes(`nexadist stop ${run}`), err);
    assert.equal(seat.latest(), run);
    assert.equal(ofRuns(await processesOf(lab, "gpu-a"), run).length, 2);
    await seat.cli(["stop", "--now", run]);
  });

  await t.test("kills rank, launcher, shim, agent and controller, measures, and leaves nothing", async () => {
    const how = { cwd: seat.dir, env: { NEXADIST_STATE_DIR: seat.stateDir }, timeoutMs: LIMIT_MS };
    const { exitCode, stdout: out, stderr: err } = await lab.exec([NEXADIST, "--json", "drill", "c.yaml", "--yes"], how);
    assert.equal(exitCode, 0, out + err);
    const { run, isClean, faults } = JSON.parse(out) as { run: string; isClean: boolean; faults: Drilled[] };
    assert.ok(isClean);
    assert.deepEqual(
      faults.map(({ fault, wrong }) => [fault, wrong]),
      ["agent", "controller", "rank", "launcher", "shim"].map((fault) => [fault, null]),
    );
    for (const { fault, seenMs, againMs } of faults) {
      if (fault !== "agent") assert.ok(seenMs !== null && seenMs >= 0, fault);
      assert.ok(againMs !== null && againMs > 0, fault);
    }
    assert.equal((await seat.ended(run)).attempt, 4, "three restarts, no more");
    for (const host of ["gpu-a", "gpu-b"]) assert.deepEqual(ofRuns(await processesOf(lab, host)), []);
  });
});
