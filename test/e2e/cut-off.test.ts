/** A host that the controller cannot reach: seen within seconds, never called clean, and stopped whenever it answers again. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { openSeat, until } from "../support/controller.ts";
import { needsRoot, startLab } from "../support/lab.ts";

const A = "100.66.164.18";
const B = "100.66.164.19";
const FILE = `cluster:\n  - host: ${A}\n  - host: ${B}\ndefaults: {gpus: 0, slots: 1}\nbackend: command\ntimeouts: {stop_grace: 1s}\n`;

test("a cable that is out when the stop comes: unseen, unknown, exit 4; plugged in again the debt is paid, and nothing is left", {
  skip: needsRoot,
}, async (t) => {
  const lab = await startLab(t);
  const seat = openSeat(t, lab);
  seat.write("c.yaml", FILE);
  const run = await seat.up(["c.yaml", "--", "sh", "-c", "echo pid $$; exec sleep 600"]);
  const pid = await until("the rank on gpu-b", () => /pid (\d+)/.exec(seat.log(run, B, "rank1.out"))?.[1]);
  const isAlive = async (): Promise<boolean> => (await lab.host("gpu-b").run(["test", "-d", `/proc/${pid}`])).exitCode === 0;

  await lab.host("gpu-b").link("down");
  await seat.wait(run, "gpu-b unseen", (_, state) => state.hosts[B]?.seen === false);
  const exec = await seat.cli(["exec", "-c", "c.yaml", "--", "true"]);
  assert.equal(exec.code, 4, exec.out + exec.err);

  const stopped = await seat.cli(["stop", run, "--now"]);
  assert.equal(stopped.code, 4, stopped.out + stopped.err);
  assert.match(stopped.out, new RegExp(`${B}: left alive unknown`));
  const ended = await seat.ended(run);
  assert.deepEqual([ended.phase, ended.hosts[B]?.receipt], ["stopped", "unknown"]);
  assert.equal(await isAlive(), true, "nobody could have stopped it");
  const status = await seat.cli(["status", run]);
  assert.match(status.out, /r1 +\S+ +\d+ +unknown/, status.out);
  assert.match(status.out, /owing .*owes a stop: could not be asked/);
  assert.match(stopped.out, new RegExp(`==> ${run} stopped after .*, owing: ${B} could not be asked`));
  assert.match((await seat.cli(["ps"])).out, new RegExp(`${run} .* stopped, owes .*owing: ${B} could not be asked`));

  await lab.host("gpu-b").link("up");
  const paid = await seat.wait(run, "the receipt of gpu-b", (_, state) => (state.hosts[B]?.receipt === "unknown" ? null : state));
  assert.equal(paid.phase, "stopped", "what is over stays as it was");
  const receipt = paid.hosts[B]?.receipt;
  assert.ok(receipt !== null && typeof receipt === "object" && receipt.left === 0, JSON.stringify(receipt));
  assert.equal(await isAlive(), false);
  await seat.wait(run, "gpu-b to forget it", (_, state) => state.hosts[B]?.stage === "forgot");
  const again = await seat.cli(["stop", run]);
  assert.equal(again.code, 0, again.out + again.err);
  assert.doesNotMatch((await seat.cli(["ps"])).out, new RegExp(run), "it is over and owes nothing");
});

test("the debt outlives the controller", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t);
  const seat = openSeat(t, lab);
  seat.write("c.yaml", FILE);
  const run = await seat.up(["c.yaml", "--", "sh", "-c", "echo pid $$; exec sleep 600"]);
  const pid = await until("the rank on gpu-b", () => /pid (\d+)/.exec(seat.log(run, B, "rank1.out"))?.[1]);
  await lab.host("gpu-b").link("down");
  assert.equal((await seat.cli(["stop", run, "--now"])).code, 4);
  await seat.quit();
  await lab.host("gpu-b").link("up");
  await seat.cli(["ps"]); // any command starts it again
  await seat.wait(run, "the receipt of gpu-b", (_, state) => (state.hosts[B]?.receipt === "unknown" ? null : true));
  assert.notEqual((await lab.host("gpu-b").run(["test", "-d", `/proc/${pid}`])).exitCode, 0);
});

test("a host that was started again in mid-run: the run fails and says so, and the next one works", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t);
  const seat = openSeat(t, lab);
  seat.write("c.yaml", FILE);
  const run = await seat.up(["c.yaml", "--", "sh", "-c", "echo pid $$; exec sleep 600"]);
  await until("both ranks", () => /pid/.test(seat.log(run, A, "rank0.out")) && /pid/.test(seat.log(run, B, "rank1.out")));
  await lab.host("gpu-b").kill();
  await lab.host("gpu-b").boot();
  const ended = await seat.ended(run);
  assert.equal(ended.phase, "failed");
  assert.match(ended.failure?.text ?? "", new RegExp(`${B} was started again`));
  const receipts = [ended.hosts[A]?.receipt, ended.hosts[B]?.receipt];
  assert.ok(
    receipts.every((receipt) => receipt !== null && typeof receipt === "object" && receipt.left === 0),
    JSON.stringify(receipts),
  );
  const next = await seat.cli(["up", "c.yaml", "--name", "next", "--", "true"]);
  assert.equal(next.code, 0, next.out + next.err);
});

test("a setup that hangs ends with its run, at once", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t);
  const seat = openSeat(t, lab);
  seat.write("c.yaml", FILE.replace("defaults: {", 'defaults: {setup: "sleep 987", '));
  const run = await seat.up(["c.yaml", "--", "true"]);
  const sleeps = async (): Promise<boolean> => (await lab.host("gpu-b").run(["pgrep", "-f", "sleep 987"])).exitCode === 0;
  await until("the setup to hang", sleeps);
  const stopped = await seat.cli(["stop", run, "--now"]);
  assert.equal(stopped.code, 0, stopped.out + stopped.err);
  await until("the setup to end", async () => !(await sleeps()));
});
