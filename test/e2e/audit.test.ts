/** `audit`: what of ours is alive on every host whatever the controller knows, told apart from what is left over, from others', and from what cannot be known. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { controllerPid, isRunning, openSeat, until } from "../support/controller.ts";
import { needsRoot, startLab } from "../support/lab.ts";
import { bystander, isAgent, isShim, ofRuns, processesOf } from "../support/lab-processes.ts";

const A = "100.66.164.18";
const B = "100.66.164.19";
const FILE = `cluster: [{host: ${A}}, {host: ${B}}]\ndefaults: {gpus: 0, slots: 1}\nbackend: command\nrestart: {max: 0}\ntimeouts: {stop_grace: 1s}\n`;
const JOB = ["sh", "-c", "echo pid $$; (setsid sleep 901 &); exec sleep 900"];

test("audit of two hosts", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t, { hosts: 2, gpus: 0 });
  const seat = openSeat(t, lab);
  seat.write("c.yaml", FILE);
  const audit = (...words: string[]) => seat.cli(["audit", "-c", "c.yaml", ...words]);
  const kill = async (pid: number | undefined) => assert.equal((await lab.host("gpu-b").run(["kill", "-9", `${pid}`])).exitCode, 0);

  const empty = await audit();
  assert.equal(empty.code, 0, empty.out + empty.err);
  assert.match(empty.out, new RegExp(`^${A}: 0 processes of a run, nothing is left over$`, "m"));
  assert.equal((await processesOf(lab, "gpu-a")).filter(isAgent).length, 0, "a look brings nothing there");

  const run = await seat.up(["c.yaml", "--", ...JOB]);
  const rank = Number(await until("the rank on gpu-b", () => /pid (\d+)/.exec(seat.log(run, B, "rank1.out"))?.[1]));
  const near = await bystander(t, lab, "gpu-b", { argv: ["-I", "-S", "/home/me/shim.py", "/home/me/arm.json"] });
  const marked = await bystander(t, lab, "gpu-b", { env: ["NEXADIST_MARK=somebody/else/1/x"] });
  const other = await bystander(t, lab, "gpu-b", { env: [`NEXADIST_MARK=somebody/${run}/1/${B}`], user: "other" });

  await t.test("a run that is alive is shown and never ended", async () => {
    const said = await audit("--end");
    assert.equal(said.code, 0, said.out + said.err);
    for (const host of [A, B]) {
      assert.match(said.out, new RegExp(`^${host}: ${run} attempt 1: 3 processes; its run is alive by its record \\((running|launching)\\)$`, "m"));
      assert.match(said.out, new RegExp(`^${host}: nothing is left over$`, "m"));
    }
    assert.match(said.out, new RegExp(`not ours for certain: ${marked.pid} .*somebody/else/1/x`));
    assert.doesNotMatch(said.out, /LEFT OVER/);
    assert.ok((await processesOf(lab, "gpu-b")).some((each) => each.pid === rank));
  });

  await t.test("controller, agent and shim killed: what remains is left over; it is ended when asked, and nothing else", async () => {
    const controller = (await controllerPid(seat.stateDir)) ?? 0;
    process.kill(controller, "SIGKILL");
    await until("the controller's end", () => !isRunning(controller));
    await kill((await processesOf(lab, "gpu-b")).find(isAgent)?.pid);
    await kill((await processesOf(lab, "gpu-b")).find(isShim)?.pid);
    const said = await audit();
    assert.equal(said.code, 1, said.out + said.err);
    assert.match(said.out, new RegExp(`^${B}: LEFT OVER: ${run} attempt 1, its shim is gone: .*${rank} sleep`, "m"));
    assert.match(said.out, new RegExp(`^${A}: nothing is left over$`, "m"));
    assert.match(said.err, /audit --end/);
    assert.equal(ofRuns(await processesOf(lab, "gpu-b"), run).filter((each) => each.uid === 0).length, 2, "a look ends nothing");

    // The rank dies, and a stranger gets its number.
    await kill(rank);
    const heir = await bystander(t, lab, "gpu-b", { pid: rank });
    assert.equal(heir.pid, rank);

    const json = JSON.parse((await audit("--end", "--json")).out) as { schema: number; hosts: { host: string; ended: number; attempts: unknown[] }[] };
    assert.deepEqual([json.schema, ...json.hosts.map((each) => each.ended)], [1, 0, 1]);
    assert.equal(json.hosts[1]?.attempts.length, 0);
    const after = await processesOf(lab, "gpu-b");
    assert.deepEqual(
      ofRuns(after, run).map((each) => each.pid),
      [other.pid],
      "only what another user has named so",
    );
    for (const each of [near, marked, other, heir]) assert.ok(await each.isThere(), "a bystander was ended");
    assert.equal(ofRuns(await processesOf(lab, "gpu-a"), run).length, 3, "the part that is alive");
  });

  const stopped = await seat.cli(["stop", run]);
  assert.equal(stopped.code, 0, stopped.out + stopped.err);
  const clean = await audit();
  assert.equal(clean.code, 0, clean.out);
  assert.deepEqual(ofRuns(await processesOf(lab, "gpu-a"), run), []);

  await lab.host("gpu-b").kill();
  const unknown = await audit();
  assert.equal(unknown.code, 4, unknown.out + unknown.err);
  assert.match(unknown.out, new RegExp(`^${B}: unknown: it could not be asked$`, "m"));
});
