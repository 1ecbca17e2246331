/** A controller on a host of the cluster: it recovers the run while the machine that `up` was typed on sleeps, with the seat's own credentials. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { controllerPid, openSeat } from "../support/controller.ts";
import { type LabHost, needsRoot, startLab } from "../support/lab.ts";

const FILE = `cluster:
  - host: 100.66.164.18
  - host: 100.66.164.19
defaults: {gpus: 0, slots: 1}
backend: command
controller: {seat: 100.66.164.18}
restart: {max: 3, backoff: 0s}
timeouts: {stop_grace: 1s, connect: 5s}
`;
const B = "100.66.164.19";

test("seat", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t, { hosts: 2 });
  const seat = openSeat(t, lab);
  seat.write("c.yaml", FILE);

  await t.test("a seat that cannot reach all hosts says which, and nothing is started", async () => {
    const up = await seat.cli(["up", "c.yaml", "--", "sleep", "600"]);
    assert.equal(up.code, 4, up.out + up.err);
    assert.match(up.err, new RegExp(`cannot reach ${B.replaceAll(".", "\\.")} with its own credentials`));
    assert.equal(seat.latest(), "", "no run was begun");
  });

  await t.test("the ranks train again while the machine of the person stands still; every command finds the seat by the file", async (own) => {
    await giveKeys(lab.host("gpu-a"), lab.home);
    const run = await seat.up(["c.yaml", "--", "sh", "-c", "echo pid $$; exec sleep 600"]);
    const pid = (await controllerPid(seat.stateDir)) ?? 0;
    process.kill(pid, "SIGSTOP");
    own.after(() => process.kill(pid, "SIGCONT")); // a controller that stands still could not be asked to end
    type Status = { state: { attempt: number; phase: string; epoch: number; ranks: Record<string, { pid: number }> } };
    const status = async (): Promise<Status["state"]> => {
      const said = await seat.cli(["status", run, "-c", "c.yaml", "--json"]);
      assert.equal(said.code, 0, said.out + said.err);
      return (JSON.parse(said.out) as Status).state;
    };
    const before = await status();
    assert.deepEqual([before.attempt, before.phase, before.epoch], [1, "running", 2]);
    await lab.host("gpu-b").run(["kill", "-9", `${before.ranks["1"]?.pid}`]);
    for (const deadline = Date.now() + 60_000; ; ) {
      const now = await status();
      if (now.attempt === 2 && now.phase === "running") break;
      assert.ok(Date.now() < deadline, JSON.stringify(now).slice(0, 500));
    }
    process.kill(pid, "SIGCONT");
  });

  await t.test("plain commands ask the seat of the run, say so where it does not answer, and never offer to fence it first", async () => {
    const run = seat.latest();
    const hang = await seat.cli(["hang", run, "--json"]);
    assert.equal(hang.code, 0, hang.out + hang.err);
    assert.equal((JSON.parse(hang.out) as { attempt: number }).attempt, 2);
    assert.match((await seat.cli(["logs", run, "--attempt", "2"])).out, /r1 \| pid \d+/);

    await lab.host("gpu-a").run(["sh", "-c", "mv ~/.ssh/authorized_keys ~/.ssh/shut"]);
    const silent =
      /is led from its seat, 100\.66\.164\.18, which does not answer: .*\n.*try: again when .*; only if it is gone for good: nexadist takeover \S+ -c \S+\/c\.yaml --force/;
    for (const command of ["stop", "attach", "hang"]) {
      const said = await seat.cli([command, run]);
      assert.equal(said.code, 4, said.out + said.err);
      assert.match(said.err, silent);
      assert.equal(said.err.split("--force").length, 2, "told once");
    }
    const old = await seat.cli(["status", run]);
    assert.equal(old.code, 0, old.err);
    assert.match(old.err, silent);
    assert.match(old.out, /last known: running .*\nled by the controller on /);
    await lab.host("gpu-a").run(["sh", "-c", "mv ~/.ssh/shut ~/.ssh/authorized_keys"]);

    const stopped = await seat.cli(["stop", run, "--now"]);
    assert.equal(stopped.code, 0, stopped.out + stopped.err);
    assert.match((await seat.cli(["status", run])).out, / stopped +attempt 2 /);
    const attached = await seat.cli(["attach", run]);
    assert.equal(attached.code, 9, attached.out + attached.err);
    const ps = await seat.cli(["ps"]);
    assert.match(ps.err, /no run is alive/, "what a forwarded stop ended is not told as alive");
    assert.doesNotMatch(ps.out, new RegExp(run));
    assert.match((await seat.cli(["runs"])).out, new RegExp(`${run} .* stopped, led by`));
  });
});

/** What an administrator of the cluster does once: the seat may log in to the others, and knows their keys. */
async function giveKeys(host: LabHost, home: string): Promise<void> {
  for (const name of ["id_ed25519", "known_hosts"]) {
    const put = await host.run(["sh", "-c", `umask 077; cat > ~/.ssh/${name}`], { input: readFileSync(join(home, ".ssh", name)) });
    assert.equal(put.exitCode, 0, put.stderr);
  }
}
